// SPDX-License-Identifier: Apache-2.0
// A user who exchanges names as fast as he can in a folder on the way to the cache, so that a name means the victim's folder
// when it is looked at and his own when it is used. He can do so where names are free to all, as in /tmp.

import Execution
import Foundation
import TestSupport
import Testing

@Suite("kernel cache while names are exchanged")
struct KernelCacheRaceTests {
  /// A folder with the victim's cache `kernels`, and `theirs`, the other user's, which holds a kernel that would load.
  private struct Place {
    /// In /tmp, for he must reach it: the folder of the tests is closed to him.
    let parent = "/tmp/bagel-race-\(UUID().uuidString)"
    let entry: String
    let foreign: ForeignKernel

    init(mode: mode_t) throws {
      let (ours, entry) = try filledFolder()
      self.entry = entry
      foreign = try ForeignKernel(for: entry)
      let files = FileManager.default
      for folder in ["/kernels", "/theirs/kernels"] {
        try files.createDirectory(
          atPath: parent + folder, withIntermediateDirectories: true,
          attributes: [.posixPermissions: 0o700])
      }
      try files.copyItem(atPath: ours + "/" + entry, toPath: parent + "/kernels/" + entry)
      for folder in ["/theirs/kernels", "/theirs"] {
        try foreign.write(to: parent + folder + "/" + entry, owner: otherUser)
        try #require(chown(parent + folder, otherUser, otherUser) == 0)
        try #require(chmod(parent + folder, 0o755) == 0)
      }
      try #require(chmod(parent, mode) == 0)
    }

    func remove() { try? FileManager.default.removeItem(atPath: parent) }

    /// `name` is, by turns: a link to the victim's cache, a link to the other user's, nothing, the other user's folder.
    func attack() throws -> Attacker {
      try Attacker(
        """
        for (int k = 0; k < 20; k++) {
          symlink(k % 2 ? "theirs" : "kernels", "next");
          if (rename("next", "name")) unlink("next");
        }
        unlink("name");
        rename("theirs", "name");
        rename("name", "theirs");
        """, in: parent)
    }

    func owner(of name: String) -> uid_t? {
      var information = stat()
      return lstat(parent + "/" + name, &information) == 0 ? information.st_uid : nil
    }
  }

  /// There is no race to win here: the walk ends at the parent, whatever is below.
  @Test("below a parent that all may write to, every load is refused while names are exchanged")
  func openParent() throws {
    guard canPlayOtherUsers("no exchange of names") else { return }
    let place = try Place(mode: 0o777)
    defer { place.remove() }
    let attacker = try place.attack()
    defer { attacker.end() }
    for attempt in 0..<200 {
      let text = message { try loadIdle(place.parent + (attempt % 2 == 0 ? "/name" : "/kernels")) }
      #expect(text.contains("on the way to it (mode 777)"), "\(text)")
    }
    #expect(!place.foreign.wasLoaded)
  }

  /// Where the name is free for a moment a load makes the folder, which is then the victim's and cannot be exchanged; so it is
  /// removed before the next try.
  @Test(
    "in a sticky parent 200 races for a name are never won, though a check before use loses some")
  func stickyParent() throws {
    guard canPlayOtherUsers("no race for a name") else { return }
    let place = try Place(mode: 0o1777)
    defer { place.remove() }
    let attacker = try place.attack()
    defer { attacker.end() }
    var outcomes = ["link of user": 0, "belongs to user": 0, "cannot be written": 0, "loaded": 0]
    var deceived = 0
    for attempt in 0..<200 {
      if place.owner(of: "name") == geteuid() {
        try FileManager.default.removeItem(atPath: place.parent + "/name")
      }
      // Until he has been at work again.
      for _ in 0..<1_000 where place.owner(of: "name") != otherUser { usleep(100) }
      for _ in 0..<20 where naiveCheckIsDeceived(place) { deceived += 1 }
      let name = attempt % 2 == 0 ? "/name" : "/name/kernels"
      let text = message { try loadIdle(place.parent + name) }
      let outcome =
        text.isEmpty ? "loaded" : outcomes.keys.first { text.contains($0) } ?? "other"
      outcomes[outcome, default: 0] += 1
    }
    #expect(!place.foreign.wasLoaded)
    #expect(outcomes["link of user", default: 0] > 0 && deceived > 0, "\(outcomes), \(deceived)")
    print("race for a name: \(outcomes); a check before use is deceived \(deceived) times")
  }

  /// The control: looks at the path, finds the victim's folder, and a moment later reads the other user's kernel by that path.
  private func naiveCheckIsDeceived(_ place: Place) -> Bool {
    var information = stat()
    let path = place.parent + "/name"
    guard stat(path, &information) == 0, information.st_uid == geteuid() else { return false }
    usleep(20)
    return FileManager.default.contents(atPath: path + "/" + place.entry) == place.foreign.file
  }
}
