// SPDX-License-Identifier: Apache-2.0
// A folder of this user's alone, held open: names in it are read, written and removed relative to its descriptor, so no name
// outside is looked at again. A file counts only if this user owns it, nobody else may write to it and it has no second
// name; what others put there while the folder was open to them is not read. Two things go by path: the compiler, into its
// work folder, and dlopen where the system has no files in memory. Nobody else can exchange names on that path (TrustedPath).

import Foundation

/// An open folder that only this user can change.
final class TrustedFolder: Sendable {
  /// Without links.
  let path: String
  private let descriptor: Descriptor

  /// Bytes of the largest file that is read: some hundred times a large kernel's.
  private static let largestFile = 64 << 20

  /// Opens it; what is missing of it is made.
  ///
  /// - Throws: `FolderRefusal`.
  init(_ path: String) throws(FolderRefusal) {
    let way = try TrustedPath(to: path)
    // Judged before it is opened: another user's may not be readable.
    try Self.check(way.folder, path: way.path)
    guard let descriptor = Descriptor(openat(way.folder.number, ".", Self.flags)) else {
      throw .unusable(path: way.path, errorNumber: errno)
    }
    (self.path, self.descriptor) = (way.path, descriptor)
  }

  /// Opens a folder in another.
  ///
  /// - Throws: `FolderRefusal`, for a link too.
  private init(_ name: String, in parent: TrustedFolder) throws(FolderRefusal) {
    path = parent.path + "/" + name
    guard let descriptor = Descriptor(openat(parent.descriptor.number, name, Self.flags)) else {
      throw .unusable(path: path, errorNumber: errno)
    }
    try Self.check(descriptor, path: path)
    self.descriptor = descriptor
  }

  private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

  /// That it is this user's, and nobody else may write to it.
  private static func check(_ folder: Descriptor, path: String) throws(FolderRefusal) {
    guard let information = folder.information else {
      throw .unusable(path: path, errorNumber: errno)
    }
    guard information.st_uid == geteuid() else {
      throw .unsafe(
        path: path, reason: "this folder belongs to user \(information.st_uid), not to you",
        remedy: "remove it, or set XDG_CACHE_HOME=/other/folder")
    }
    guard !information.isOpenToOthers else {
      throw .unsafe(
        path: path, reason: "others may write to this folder (mode \(information.octalMode))",
        remedy: "chmod go-w \(shellQuoted(path))")
    }
  }

  /// 0 where files can be made in it, else why not.
  var writeObstacle: Int32 {
    faccessat(descriptor.number, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno
  }

  /// The bytes of a file that only this user can have written, nil for any other and for none.
  func contents(of name: String) -> [UInt8]? {
    // Not blocking: opening a pipe would wait for its writer.
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    guard let file = Descriptor(openat(descriptor.number, name, flags)) else { return nil }
    guard let information = file.information, information.kind == S_IFREG,
      information.st_uid == geteuid(),
      !information.isOpenToOthers, information.st_nlink == 1,
      (1...Int64(Self.largestFile)).contains(Int64(information.st_size))
    else { return nil }
    let size = Int(information.st_size)
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = 0
      while count < size {
        let more = read(file.number, buffer.baseAddress.map { $0 + count }, size - count)
        if more < 0 && errno == EINTR { continue }
        if more <= 0 { return }
        count += more
      }
    }
    return bytes.count == size ? bytes : nil
  }

  /// Makes a file that was not there.
  ///
  /// - Throws: `ExecutionError.cache`.
  func write(_ bytes: [UInt8], to name: String) throws(ExecutionError) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = openat(descriptor.number, name, flags, 0o600)
    guard file >= 0 else { throw .unwritten(path + "/" + name, errno) }
    var failure: Int32 = 0
    var done = 0
    while done < bytes.count && failure == 0 {
      let more = bytes.withUnsafeBytes {
        Foundation.write(file, $0.baseAddress.map { $0 + done }, bytes.count - done)
      }
      if more >= 0 { done += more } else if errno != EINTR { failure = errno }
    }
    // Network disks tell of a full disk here.
    if close(file) != 0 && failure == 0 { failure = errno }
    guard failure == 0 else {
      remove(name)
      throw .unwritten(path + "/" + name, failure)
    }
  }

  /// Moves a file into another folder, over what stands there.
  ///
  /// - Throws: `ExecutionError.cache` where a folder stands there.
  func move(_ name: String, to folder: TrustedFolder) throws(ExecutionError) {
    guard renameat(descriptor.number, name, folder.descriptor.number, name) != 0 else { return }
    let (failure, place) = (errno, folder.path + "/" + name)
    remove(name)
    guard failure == EISDIR || failure == ENOTEMPTY else { throw .unwritten(place, failure) }
    throw .cache(
      path: place, reason: "a folder has the name of a kernel's file",
      remedy: "rm -r \(shellQuoted(place))")
  }

  /// Removes a file, if it is there.
  func remove(_ name: String) { _ = unlinkat(descriptor.number, name, 0) }

  /// A new folder in this one.
  ///
  /// - Throws: `ExecutionError.cache`.
  func makeFolder(_ name: String) throws(ExecutionError) -> TrustedFolder {
    guard mkdirat(descriptor.number, name, 0o700) == 0 else {
      throw .unwritten(path + "/" + name, errno)
    }
    do {
      return try TrustedFolder(name, in: self)
    } catch {
      throw ExecutionError(error)
    }
  }

  /// Owner, kind and date of what has this name; of a link its own, nil where nothing is.
  func information(of name: String) -> stat? {
    var information = stat()
    let failure = fstatat(descriptor.number, name, &information, AT_SYMLINK_NOFOLLOW)
    return failure == 0 ? information : nil
  }

  /// Names of what is in it; none where it cannot be read.
  var names: [String] {
    // Closed by closedir. Not a copy of our descriptor: both would have one position.
    let copy = openat(descriptor.number, ".", Self.flags)
    guard copy >= 0, let list = fdopendir(copy) else { return [] }
    defer { closedir(list) }
    var names: [String] = []
    while let entry = readdir(list) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a file, or a folder with all that it holds, as far as it is this user's. A folder that another user owns or may
  /// write to stays: he could put a link to other files in place of what is being removed.
  func removeAll(_ name: String) {
    guard let information = information(of: name), information.st_uid == geteuid() else { return }
    guard information.isFolder else { return remove(name) }
    guard let folder = try? TrustedFolder(name, in: self) else { return }
    for inner in folder.names { folder.removeAll(inner) }
    // Fails where something stayed.
    _ = unlinkat(descriptor.number, name, AT_REMOVEDIR)
  }
}
