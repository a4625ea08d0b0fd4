// SPDX-License-Identifier: Apache-2.0
// Nobody else's code is loaded: which folders are refused and what is said of them, kernels planted by other users, and a
// user who exchanges names all the time.

import Execution
import Foundation
import TestSupport
import Testing

@Suite("kernel cache against other users")
struct KernelCacheSafetyTests {
  private func makeFolder(_ path: String, mode: mode_t = 0o700, owner: uid_t = geteuid()) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try #require(chmod(path, mode) == 0 && chown(path, owner, owner) == 0)
  }

  @Test("a folder that others can write to is refused", arguments: [0o777, 0o770, 0o703, 0o1777])
  func openFolder(mode: Int) throws {
    let folder = Scratch.path("kernels")
    try makeFolder(folder, mode: mode_t(mode))
    let text = message { try loadIdle(folder) }
    #expect(text.contains("others may write to this folder"), "\(text)")
    #expect(text.contains("chmod go-w \(folder)"), "\(text)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
  }

  @Test("a folder below one that others can write to is refused, and that one is named")
  func openParent() throws {
    let parent = Scratch.path("a folder")
    try makeFolder(parent + "/b/kernels")
    try makeFolder(parent, mode: 0o777)
    let text = message { try loadIdle(parent + "/b/kernels") }
    #expect(text.contains("folder on the way to it (mode 777)"), "\(text)")
    #expect(text.contains("chmod go-w '\(parent)'"), "\(text)")
    // As in /tmp: others cannot exchange what is not theirs.
    try makeFolder(parent, mode: 0o1777)
    #expect(message { try loadIdle(parent + "/b/kernels") } == "")
  }

  @Test("links of this user are followed, in the middle and at the end; loops end")
  func links() throws {
    let (folder, _) = try filledFolder()
    let links = try Scratch.folder()
    try #require(symlink(folder, links + "/end") == 0)
    try #require(symlink("../" + (links as NSString).lastPathComponent, links + "/up") == 0)
    try #require(symlink("loop", links + "/loop") == 0)
    #expect(try loadIdle(links + "/up/./up//end").wasCached)
    #expect(try KernelCache(folder: links + "/up/end").location().folder == folder)
    #expect(message { try loadIdle(links + "/loop/kernels") }.contains("symbolic links"))
  }

  @Test("a file in place of the folder is said")
  func fileForFolder() throws {
    let path = Scratch.path("kernels")
    try "text".write(toFile: path, atomically: true, encoding: .utf8)
    for folder in [path, path + "/below"] {
      let text = message { try loadIdle(folder) }
      #expect(text.contains(path) && text.contains("Not a directory"), "\(text)")
    }
  }

  @Test("folders and links of another user are refused, in the middle and at the end")
  func foreignNames() throws {
    guard canPlayOtherUsers("no foreign folders and links") else { return }
    let (folder, _) = try filledFolder()
    let parent = try Scratch.folder()
    try makeFolder(parent + "/theirs", owner: otherUser)
    try makeFolder(parent + "/theirs/ours")
    try #require(symlink(folder, parent + "/link") == 0)
    try #require(lchown(parent + "/link", otherUser, otherUser) == 0)
    for (path, words) in [
      ("/theirs", "belongs to user 65534, not to you"),
      ("/theirs/ours", "on the way to it belongs"),
      ("/link", "it is a link of user 65534"),
    ] {
      let text = message { try loadIdle(parent + path) }
      #expect(text.contains(words) && text.contains("; "), "\(text)")
    }
  }

  @Test("the foreign kernel of these tests would be loaded if it were ours")
  func control() throws {
    let (folder, entry) = try filledFolder()
    let foreign = try ForeignKernel(for: entry)
    try foreign.write(to: folder + "/" + entry)
    #expect(try loadIdle(folder).wasCached && foreign.wasLoaded)
  }

  @Test("kernels planted while the folder was open are not loaded after chmod")
  func planted() throws {
    guard canPlayOtherUsers("no planted kernels") else { return }
    let (folder, entry) = try filledFolder()
    let foreign = try ForeignKernel(for: entry)
    for mode in [0o600, 0o644, 0o755] as [mode_t] {
      chmod(folder, 0o777)
      try foreign.write(to: folder + "/" + entry, owner: otherUser, mode: mode)
      #expect(message { try loadIdle(folder) }.contains("chmod go-w"))
      chmod(folder, 0o755)
      #expect(try loadIdle(folder).wasCached == false)
    }
    #expect(!foreign.wasLoaded)
  }

  @Test("a planted folder of another user stays, and a link that he puts into it is not followed")
  func plantedWorkFolder() throws {
    guard canPlayOtherUsers("no planted work folder") else { return }
    let (folder, entry) = try filledFolder()
    let precious = try Scratch.folder() + "/precious"
    try "text".write(toFile: precious, atomically: true, encoding: .utf8)
    let inner = folder + "/work.planted/inner"
    try makeFolder(inner, owner: otherUser)
    for number in 0..<100 {
      try Data().write(to: URL(fileURLWithPath: "\(inner)/\(number)"))
    }
    try makeFolder(folder + "/work.planted", owner: otherUser)
    try makeOld(folder + "/work.planted")
    let attacker = try Attacker(
      """
      const struct timeval old[2] = {{1}, {1}};
      rename("inner", "away"); symlink(arguments[2], "inner"); utimes(".", old);
      unlink("inner"); rename("away", "inner"); utimes(".", old);
      """, in: folder + "/work.planted", [(precious as NSString).deletingLastPathComponent])
    defer { attacker.end() }
    for _ in 0..<20 {
      unlink(folder + "/" + entry)
      try loadIdle(folder)
      #expect(FileManager.default.fileExists(atPath: precious))
    }
    attacker.end()
    let left = try FileManager.default.subpathsOfDirectory(atPath: folder + "/work.planted")
    #expect(left.count >= 101, "\(left)")
  }

  @Test("of an old work folder goes what is this user's; links in it are not followed")
  func mixedWorkFolders() throws {
    let (folder, entry) = try filledFolder()
    let outside = try Scratch.folder()
    try "text".write(toFile: outside + "/precious", atomically: true, encoding: .utf8)
    try makeFolder(folder + "/work.own/a/b/c")
    try "text".write(toFile: folder + "/work.own/a/b/c/part.o", atomically: true, encoding: .utf8)
    try #require(symlink(outside, folder + "/work.own/a/link") == 0)
    try #require(symlink(outside, folder + "/work.link") == 0)
    // As a folder of ours that somebody moved here while both were open.
    try makeFolder(folder + "/work.open/inner", mode: 0o777)
    try makeFolder(folder + "/work.open", mode: 0o777)
    var kept: Set = ["work.open", "work.link"]
    if canPlayOtherUsers("no foreign files in work folders") {
      try makeFolder(folder + "/work.mixed/theirs", owner: otherUser)
      try "text".write(toFile: folder + "/work.mixed/ours", atomically: true, encoding: .utf8)
      try #require(chmod(folder + "/work.mixed", 0o700) == 0)
      kept.insert("work.mixed")
    }
    for name in kept.union(["work.own"]) where name != "work.link" {
      try makeOld(folder + "/" + name)
    }
    unlink(folder + "/" + entry)
    try loadIdle(folder)
    let left = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(Set(left) == kept.union([entry]))
    #expect(FileManager.default.fileExists(atPath: outside + "/precious"))
    #expect(FileManager.default.fileExists(atPath: folder + "/work.open/inner"))
    if kept.contains("work.mixed") {
      let mixed = try FileManager.default.contentsOfDirectory(atPath: folder + "/work.mixed")
      #expect(mixed == ["theirs"])
    }
  }

  /// Two days old.
  private func makeOld(_ path: String) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -172_800)], ofItemAtPath: path)
  }
}
