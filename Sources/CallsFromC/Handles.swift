// SPDX-License-Identifier: Apache-2.0
// What stands behind a handle of C: an object that is held until `_free`, and the texts that it has lent.

import CBagel
import Foundation

/// An object that C holds.
protocol Handle: AnyObject {
  /// For words: "policy".
  static var kind: String { get }
}

extension Handle {
  /// What C gets; the object lives until it is released.
  func lent() -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

  /// The object of a handle, or nil of NULL.
  static func at(_ handle: OpaquePointer?) -> Self? {
    handle.map { Unmanaged<Self>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
  }

  /// The object of a handle. Throws: `BadCall` of NULL.
  static func of(_ handle: OpaquePointer?) throws(BadCall) -> Self {
    guard let found = at(handle) else { throw BadCall("the \(kind) is NULL") }
    return found
  }

  /// Ends what `lent` began.
  static func release(_ handle: OpaquePointer?) {
    guard let handle else { return }
    Unmanaged<Self>.fromOpaque(UnsafeRawPointer(handle)).release()
  }
}

/// A text that C may read as long as this lives.
final class ConstantText: @unchecked Sendable {
  // Nobody writes to it.
  private let bytes: UnsafeMutablePointer<CChar>
  var pointer: UnsafePointer<CChar> { UnsafePointer(bytes) }

  init(_ text: String) {
    let characters = Array(text.utf8CString)
    bytes = .allocate(capacity: characters.count)
    bytes.initialize(from: characters, count: characters.count)
  }

  deinit { bytes.deallocate() }
}

/// Names and units of a handle's channels, by list.
struct ChannelTexts {
  /// States, measured, goals, actions.
  private let lists: [[(name: ConstantText, unit: ConstantText)]]

  /// - Parameters: names and units of each list.
  init(
    states: [(String, String)], measured: [(String, String)], goals: [(String, String)],
    actions: [(String, String)]
  ) {
    lists = [states, measured, goals, actions].map {
      $0.map { (ConstantText($0.0), ConstantText($0.1)) }
    }
  }

  /// How many channels a list has; 0 of a list that is none.
  func count(_ channels: bagel_channels) -> Int { list(channels).count }

  /// nil where there is no such channel.
  func name(_ channels: bagel_channels, _ index: Int) -> UnsafePointer<CChar>? {
    let list = list(channels)
    return list.indices.contains(index) ? list[index].name.pointer : nil
  }

  /// nil where there is no such channel.
  func unit(_ channels: bagel_channels, _ index: Int) -> UnsafePointer<CChar>? {
    let list = list(channels)
    return list.indices.contains(index) ? list[index].unit.pointer : nil
  }

  private func list(_ channels: bagel_channels) -> [(name: ConstantText, unit: ConstantText)] {
    let orders = [BAGEL_STATES, BAGEL_MEASURED, BAGEL_GOALS, BAGEL_ACTIONS]
    return orders.firstIndex(of: channels).map { lists[$0] } ?? []
  }
}
