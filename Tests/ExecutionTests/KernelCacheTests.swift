// SPDX-License-Identifier: Apache-2.0
// The cache of compiled kernels: hits, damage, irregular entries, parallel use, what is left behind; and SHA-256
// against FIPS 180-4's examples.

import Execution
import ExecutorChecks
import Foundation
import Synchronization
import TestSupport
import Testing

/// What can stand where a kernel's entry is to be.
enum Irregular: String, CaseIterable {
  case damaged, truncated, empty, otherKernels, ofFirstForm, openToGroup, openToOthers
  case secondName, link, pipe, ofAnotherUser

  /// Puts it in place of the entry at `path`. False where this user cannot.
  func put(at path: String) throws -> Bool {
    let files = FileManager.default
    let url = URL(fileURLWithPath: path)
    var bytes = try Data(contentsOf: url)
    switch self {
    case .damaged: bytes[bytes.count / 2] ^= 1
    case .truncated: bytes.removeLast(bytes.count / 2)
    case .empty: bytes = Data()
    case .otherKernels:
      let folder = try Scratch.folder()
      let fixture = RolloutFixture.tabulated
      _ = try HostExecutor(
        fixture.program, data: fixture.data, cache: KernelCache(folder: folder))
      let other = try files.contentsOfDirectory(atPath: folder)[0]
      bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + other))
    case .ofFirstForm: bytes.removeFirst(15 + 64 + 1)
    case .openToGroup: return chmod(path, 0o620) == 0
    case .openToOthers: return chmod(path, 0o602) == 0
    case .secondName: return Foundation.link(path, Scratch.path("second-name")) == 0
    case .link:
      let target = Scratch.path("target")
      try files.moveItem(atPath: path, toPath: target)
      return symlink(target, path) == 0
    case .pipe: return unlink(path) == 0 && mkfifo(path, 0o600) == 0
    case .ofAnotherUser:
      return canPlayOtherUsers("no foreign entry") && chown(path, otherUser, otherUser) == 0
    }
    // Not over the old file: it may be in use.
    try files.removeItem(atPath: path)
    return files.createFile(atPath: path, contents: bytes, attributes: [.posixPermissions: 0o600])
  }
}

@Suite("kernel cache")
struct KernelCacheTests {
  @Test func sha256Examples() {
    #expect(
      sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      sha256("abc".utf8) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(
      sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
        == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
  }

  @Test("the second load comes from the cache, one file an entry; both compute the same")
  func reuse() throws {
    let folder = Scratch.path("above") + "/kernels"
    let fixture = RolloutFixture.everyOperation
    func load() throws -> HostExecutor {
      try HostExecutor(
        fixture.program, data: fixture.data, cache: KernelCache(folder: folder))
    }
    let first = try load()
    let second = try load()
    #expect(!first.wasCached && second.wasCached)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(names.count == 1 && names[0].hasSuffix(".kernel"), "\(names)")
    let modes = try [folder, folder + "/" + names[0]].map {
      try FileManager.default.attributesOfItem(atPath: $0)[.posixPermissions] as? Int
    }
    #expect(modes == [0o700, 0o600])
    let batch = fixture.batch(particles: 3, horizon: 2)
    #expect(try first.returns(batch).returns == second.returns(batch).returns)
  }

  @Test("an irregular entry is compiled anew and replaced", arguments: Irregular.allCases)
  func irregular(_ kind: Irregular) throws {
    let (folder, entry) = try filledFolder()
    guard try kind.put(at: folder + "/" + entry) else { return }
    #expect(try loadIdle(folder).wasCached == false)
    #expect(try loadIdle(folder).wasCached)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [entry])
  }

  @Test("a folder in place of an entry cannot be replaced, and that is said")
  func folderForEntry() throws {
    let (folder, entry) = try filledFolder()
    try FileManager.default.removeItem(atPath: folder + "/" + entry)
    try FileManager.default.createDirectory(
      atPath: folder + "/" + entry, withIntermediateDirectories: false)
    let text = message { try loadIdle(folder) }
    #expect(
      text.contains("a folder has the name") && text.contains("rm -r \(folder)/\(entry)"), "\(text)"
    )
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [entry])
  }

  @Test("many executors come and go: each computes with its own kernel")
  func manyLibraries() throws {
    let folder = try Scratch.folder()
    let fixtures = [RolloutFixture.tabulated, .everyOperation, .wide]
    func load(_ fixture: RolloutFixture) throws -> HostExecutor {
      try HostExecutor(
        fixture.program, data: fixture.data, cache: KernelCache(folder: folder))
    }
    let batches = fixtures.map { $0.batch(particles: 3, horizon: 2) }
    let expected = try zip(fixtures, batches).map { try load($0).returns($1).returns }
    for round in 0..<30 {
      let k = round % 3
      let held = round % 2 == 0 ? try load(fixtures[(k + 1) % 3]) : nil
      let executor = try load(fixtures[k])
      #expect(executor.wasCached)
      #expect(try executor.returns(batches[k]).returns == expected[k])
      withExtendedLifetime(held) {}
    }
  }

  @Test("threads that want the same kernel at once all get it")
  func threads() throws {
    let folder = Scratch.path("kernels")
    let failures = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      let text = message { try loadIdle(folder) }
      if !text.isEmpty { failures.withLock { $0.append(text) } }
    }
    #expect(failures.withLock { $0 } == [])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
  }

  @Test("leftovers of a day and entries of the first form are swept, all else stays")
  func sweep() throws {
    let folder = try Scratch.folder()
    let old = String(repeating: "0af3", count: 8)
    let swept = ["work.old", "\(old).so", "\(old).sha256", "\(old).c", "\(old).\(UUID()).cu"]
    let kept = ["work.new", "notes.c", "failed-\(old.prefix(16)).c"]
    for name in swept + kept {
      let path = folder + "/" + name
      if name.hasPrefix("work.") {
        try FileManager.default.createDirectory(
          atPath: path, withIntermediateDirectories: false,
          attributes: [.posixPermissions: 0o700])
      }
      let file = name.hasPrefix("work.") ? path + "/kernel.c" : path
      try "text".write(toFile: file, atomically: false, encoding: .utf8)
      let age = name == "work.old" ? 90_000.0 : 80_000
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: path)
    }
    try loadIdle(folder)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(Set(names.filter { !$0.hasSuffix(".kernel") }) == Set(kept))
  }
}
