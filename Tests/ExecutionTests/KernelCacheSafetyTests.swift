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
      #expect(text.contains(words) && text.contains("What to do"), "\(text)")
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

  /// 200 loads while another user exchanges the folder `kernels` in `parent` with one of his, by a link and by renaming.
  @Test("a race for names is never won", arguments: [0o777, 0o1777])
  func race(mode: Int) throws {
    guard canPlayOtherUsers("no race for names") else { return }
    let (ours, entry) = try filledFolder()
    let foreign = try ForeignKernel(for: entry)
    // He must reach it: the folder of the tests is closed to him.
    let parent = "/tmp/bagel-race-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: parent) }
    try makeFolder(parent + "/theirs", mode: 0o755, owner: otherUser)
    try foreign.write(to: parent + "/theirs/" + entry, owner: otherUser)
    try makeFolder(parent + "/kernels")
    try FileManager.default.copyItem(
      atPath: ours + "/" + entry, toPath: parent + "/kernels/" + entry)
    try makeFolder(parent, mode: mode_t(mode))
    let attacker = Process()
    attacker.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
    attacker.arguments = [
      "--reuid", "\(otherUser)", "--clear-groups", "/bin/sh", "-c",
      """
      cd "$1"; while :; do
        ln -s kernels link; mv kernels away; ln -s theirs kernels; ln -sfn theirs link
        rm kernels; mv theirs kernels; mv kernels theirs; mv away kernels; rm -f link
      done 2>/dev/null
      """, "attacker", parent,
    ]
    do { try attacker.run() } catch { return print("skipped: no setpriv, no race for names") }
    defer {
      attacker.terminate()
      attacker.waitUntilExit()
    }
    usleep(100_000)
    var refusals = 0
    for attempt in 0..<200 {
      let name = attempt % 5 == 0 ? "/link" : "/kernels"
      if name == "/link" {
        // Made by an earlier load, if the name was free then. Now it is his for a moment.
        try? FileManager.default.removeItem(atPath: parent + "/link")
        usleep(10_000)
      }
      if !message({ try loadIdle(parent + name) }).isEmpty { refusals += 1 }
      usleep(2_000)
    }
    #expect(!foreign.wasLoaded)
    #expect(mode == 0o777 ? refusals == 200 : refusals < 200, "\(refusals) refused")
    print("race for names, mode \(String(mode, radix: 8)): \(refusals) of 200 loads refused")
  }
}
