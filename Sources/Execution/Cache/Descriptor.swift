// SPDX-License-Identifier: Apache-2.0
// An open file or folder that closes itself.

import Foundation

/// A descriptor, closed when nobody uses it any more.
final class Descriptor: Sendable {
  let number: Int32

  /// nil for the -1 of a call that failed.
  init?(_ number: Int32) {
    guard number >= 0 else { return nil }
    self.number = number
  }

  deinit { Foundation.close(number) }

  /// Owner, mode, kind and size of what is open; nil (with errno) where a network disk has lost it.
  var information: stat? {
    var information = stat()
    return fstat(number, &information) == 0 ? information : nil
  }

  /// Both ends of a socket; programs that are started meanwhile do not inherit them.
  static func pair() -> (ours: Descriptor, theirs: Descriptor)? {
    var ends: [Int32] = [-1, -1]
    #if os(Linux)
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0, let ours = Descriptor(ends[0]),
      let theirs = Descriptor(ends[1])
    else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ours, theirs)
  }
}

extension stat {
  var kind: mode_t { st_mode & S_IFMT }
  var isFolder: Bool { kind == S_IFDIR }
  /// Users besides the owner may change it. An access control list shows in the group's bits (as its mask), so group
  /// rights count even where the group has one member only.
  var isOpenToOthers: Bool { st_mode & 0o022 != 0 }
  /// The permissions as `chmod` takes them.
  var octalMode: String { String(st_mode & 0o7777, radix: 8) }
  /// When it was changed last, seconds since 1970.
  var changed: Double {
    #if os(Linux)
      Double(st_mtim.tv_sec)
    #else
      Double(st_mtimespec.tv_sec)
    #endif
  }
}

/// What an error number means, in the system's words.
func systemReason(_ errorNumber: Int32) -> String { String(cString: strerror(errorNumber)) }
