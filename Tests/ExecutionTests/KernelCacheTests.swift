// SPDX-License-Identifier: Apache-2.0
// The cache of compiled kernels: hits, damage, foreign folders; and SHA-256 against FIPS 180-4's examples.

import Execution
import ExecutorChecks
import Foundation
import TestSupport
import Testing

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

  @Test("the second load comes from the cache; a damaged object is compiled anew")
  func reuse() throws {
    let cache = KernelCache(folder: Scratch.path("kernels"))
    let fixture = RolloutFixture.everyOperation
    func load() throws -> HostExecutor {
      try HostExecutor(fixture.program, data: fixture.data, cache: cache)
    }
    #expect(try load().wasCached == false)
    #expect(try load().wasCached)
    let names = try FileManager.default.contentsOfDirectory(atPath: cache.folder)
    #expect(names.count == 3, "object, checksum, source and nothing else: \(names)")
    let object = try #require(names.first { $0.hasSuffix(".so") })
    // Unlink first: writing into a mapped object would change the code under the running executors.
    let path = cache.folder + "/" + object
    try FileManager.default.removeItem(atPath: path)
    try "not an object".write(toFile: path, atomically: true, encoding: .utf8)
    let again = try load()
    #expect(again.wasCached == false)
    let batch = fixture.batch(particles: 3, horizon: 2)
    #expect(try again.returns(batch).returns == (try load().returns(batch).returns))
  }

  @Test("a folder that others can write to is refused")
  func foreignFolder() throws {
    let folder = Scratch.path("kernels")
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
    chmod(folder, 0o777)
    #expect(throws: ExecutionError.self) {
      try HostExecutor(
        RolloutFixture.wide.program, data: [:], cache: KernelCache(folder: folder))
    }
  }
}
