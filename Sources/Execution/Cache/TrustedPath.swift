// SPDX-License-Identifier: Apache-2.0
// From a path to an open folder that no other user can have changed or exchanged. The path is walked from "/", one name
// at a time, each folder opened from the one before it and judged by its descriptor: whatever happens to the names
// afterwards, the folder stays the one that was judged. (Looking at a path and then using it are two looks: a link
// exchanged between them won 19 of 60 tries.)

import CKernelFiles
import Foundation

/// Why a folder cannot hold kernels.
enum FolderRefusal: Error {
  /// Others could put code of theirs there.
  case unsafe(path: String, reason: String, remedy: String)
  /// It cannot be opened, made or written.
  case unusable(path: String, errorNumber: Int32)
}

/// A walk to a folder.
struct TrustedPath {
  /// More links than this one after the other are a loop, as in Linux.
  private static let mostLinks = 40

  /// The folder reached, open to be passed through.
  private(set) var folder: Descriptor
  /// Its names from "/", without links.
  private var names: [String] = []
  /// Names still to go, the next one last.
  private var ahead: [String]
  private var links = 0

  /// Of the folder reached.
  var path: String { "/" + names.joined(separator: "/") }

  /// Walks to the folder; what is missing of it is made, for its owner alone (mode 0700).
  ///
  /// - Parameter path: a relative one is taken from the current folder.
  /// - Throws: `FolderRefusal`.
  init(to path: String) throws(FolderRefusal) {
    let current = FileManager.default.currentDirectoryPath
    let absolute = path.hasPrefix("/") ? path : current + "/" + path
    folder = try Self.root()
    ahead = Self.names(absolute).reversed()
    while let name = ahead.popLast() { try enter(name) }
  }

  private static func root() throws(FolderRefusal) -> Descriptor {
    guard let root = Descriptor(kernel_open_passage(AT_FDCWD, "/")) else {
      throw .unusable(path: "/", errorNumber: errno)
    }
    return root
  }

  private static func names(_ path: String) -> [String] {
    path.split(separator: "/").map(String.init).filter { $0 != "." }
  }

  /// One name further: into a folder, or to the end of a link.
  private mutating func enter(_ name: String) throws(FolderRefusal) {
    try checkPassage()
    let next = path == "/" ? "/" + name : path + "/" + name
    var information = stat()
    if fstatat(folder.number, name, &information, AT_SYMLINK_NOFOLLOW) != 0 {
      guard errno == ENOENT, mkdirat(folder.number, name, 0o700) == 0 || errno == EEXIST else {
        throw .unusable(path: next, errorNumber: errno)
      }
    } else if information.kind == S_IFLNK {
      return try follow(name, owner: information.st_uid, path: next)
    }
    guard let opened = Descriptor(kernel_open_passage(folder.number, name)) else {
      throw .unusable(path: next, errorNumber: errno)
    }
    folder = opened
    if name == ".." { _ = names.popLast() } else { names.append(name) }
  }

  /// A link of a user that is trusted cannot be exchanged by another: the folder that holds it was checked.
  private mutating func follow(
    _ name: String, owner: uid_t, path: String
  ) throws(FolderRefusal) {
    guard owner == 0 || owner == geteuid() else {
      throw .unsafe(
        path: path, reason: "it is a link of user \(owner), who could point it elsewhere",
        remedy: "remove it, or set XDG_CACHE_HOME=/other/folder")
    }
    links += 1
    guard links <= Self.mostLinks else { throw .unusable(path: path, errorNumber: ELOOP) }
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlinkat(folder.number, name, &target, target.count)
    guard count > 0 else { throw .unusable(path: path, errorNumber: count < 0 ? errno : ENOENT) }
    let text = String(decoding: target.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    if text.hasPrefix("/") { (folder, names) = (try Self.root(), []) }
    ahead += Self.names(text).reversed()
  }

  /// Whether names of the folder reached are safe to follow: nobody but root and this user may exchange them. In a sticky
  /// folder (such as /tmp) others may add names, but not exchange those of root and of this user.
  private func checkPassage() throws(FolderRefusal) {
    guard let information = folder.information else {
      throw .unusable(path: path, errorNumber: errno)
    }
    guard TrustedOwners.current.contains(information.st_uid) else {
      throw .unsafe(
        path: path, reason: "this folder on the way to it belongs to user \(information.st_uid)",
        remedy: "set XDG_CACHE_HOME to a folder below your own or root's folders only")
    }
    guard !information.isOpenToOthers || information.st_mode & S_ISVTX != 0 else {
      throw .unsafe(
        path: path,
        reason: "others may write to this folder on the way to it (mode \(information.octalMode))",
        remedy: "chmod go-w \(shellQuoted(path)), or set XDG_CACHE_HOME=/other/folder")
    }
  }
}

/// Users whose folders may lie on the way: root and this one.
struct TrustedOwners {
  private let users: Set<uid_t>

  static let current = TrustedOwners()

  /// In a container that does not know the machine's root (a user namespace, as Apptainer's and rootless Podman's), root's
  /// folders show the number that stands for all users outside. Links and the last folder are held to the stricter rule.
  private init() {
    users = Set([0, geteuid(), Self.outsideUser].compactMap { $0 })
  }

  func contains(_ user: uid_t) -> Bool { users.contains(user) }

  /// nil where root is root.
  private static var outsideUser: uid_t? {
    guard let map = try? String(contentsOfFile: "/proc/self/uid_map", encoding: .utf8),
      let number = try? String(contentsOfFile: "/proc/sys/kernel/overflowuid", encoding: .utf8)
    else { return nil }
    // Lines "first number inside, the same outside, how many".
    let hasRoot = map.split(separator: "\n").contains {
      $0.split(separator: " ").dropFirst().first == "0"
    }
    return hasRoot ? nil : uid_t(number.filter(\.isNumber))
  }
}

/// A path as a shell takes it.
func shellQuoted(_ path: String) -> String {
  let plain = path.allSatisfy { $0.isLetter || $0.isNumber || "/._-+,:@%".contains($0) }
  return plain ? path : "'" + path.replacingOccurrences(of: "'", with: "'\\''") + "'"
}
