// SPDX-License-Identifier: Apache-2.0
// A folder of this user's alone, held open: files are read and written relative to its descriptor, so no name outside is
// looked at again. A file counts only if this user owns it, nobody else may write to it and it has no second name;
// what others put there while the folder was open to them is not read.

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
    self.path = way.path
    guard let information = way.folder.information else {
      throw .unusable(path: way.path, errorNumber: errno)
    }
    guard information.st_uid == geteuid() else {
      throw .unsafe(
        path: way.path, reason: "this folder belongs to user \(information.st_uid), not to you",
        remedy: "remove it, or set XDG_CACHE_HOME=/other/folder")
    }
    guard !information.isOpenToOthers else {
      throw .unsafe(
        path: way.path,
        reason: "others may write to this folder (mode \(information.octalMode))",
        remedy: "chmod go-w \(quoted(way.path))")
    }
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    guard let descriptor = Descriptor(openat(way.folder.number, ".", flags)) else {
      throw .unusable(path: way.path, errorNumber: errno)
    }
    self.descriptor = descriptor
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
  func move(_ name: String, to folder: TrustedFolder, as other: String) throws(ExecutionError) {
    guard renameat(descriptor.number, name, folder.descriptor.number, other) != 0 else { return }
    let (failure, place) = (errno, folder.path + "/" + other)
    remove(name)
    guard failure == EISDIR || failure == ENOTEMPTY else { throw .unwritten(place, failure) }
    throw .cache(
      path: place, reason: "a folder stands where a kernel is to be",
      remedy: "rm -r \(quoted(place))")
  }

  /// Removes a file, if it is there.
  func remove(_ name: String) { _ = unlinkat(descriptor.number, name, 0) }

  /// A new folder in this one.
  ///
  /// - Throws: `ExecutionError.cache`.
  func makeFolder(_ name: String) throws(ExecutionError) -> TrustedFolder {
    let place = path + "/" + name
    guard mkdirat(descriptor.number, name, 0o700) == 0 else { throw .unwritten(place, errno) }
    do {
      return try TrustedFolder(place)
    } catch {
      throw ExecutionError(error)
    }
  }

  /// Names of what is in it.
  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }

  /// When a file or folder in it was changed last, in seconds since 1970.
  func changed(_ name: String) -> Double? {
    var information = stat()
    guard fstatat(descriptor.number, name, &information, AT_SYMLINK_NOFOLLOW) == 0 else {
      return nil
    }
    #if os(Linux)
      return Double(information.st_mtim.tv_sec)
    #else
      return Double(information.st_mtimespec.tv_sec)
    #endif
  }

  /// Removes a folder in it with all that it holds.
  func removeFolder(_ name: String) {
    try? FileManager.default.removeItem(atPath: path + "/" + name)
  }
}
