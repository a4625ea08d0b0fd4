// SPDX-License-Identifier: Apache-2.0
// Particles in the hands of a C program: the simulator of the library, with the names of its channels.

import Bagel
import CBagel
import GaussianProcesses

/// Behind `bagel_model`.
final class ModelHandle: Handle {
  static var kind: String { "model" }

  let simulator: ModelSimulator
  let texts: ChannelTexts

  /// S and A
  var stateCount: Int { simulator.model.layout.states.count }
  var actionCount: Int { simulator.model.layout.actions.count }

  init(_ simulator: ModelSimulator) {
    self.simulator = simulator
    let layout = simulator.model.layout
    texts = ChannelTexts(
      states: layout.states.map { ($0.name, $0.units) }, measured: layout.measuredTexts, goals: [],
      actions: layout.actions.map { ($0.name, $0.units) })
  }

  /// Particles of a caller's list; nil for all. Throws: `BadCall`.
  func particles(_ pointer: UnsafePointer<Int>?, _ count: Int) throws(BadCall) -> [Int]? {
    guard let pointer else {
      guard count == 0 else { throw BadCall("'which' is NULL") }
      return nil
    }
    let all = 0..<simulator.particles
    // A particle may be named twice, but no list is that long.
    guard (0...all.count).contains(count) else {
      throw BadCall(
        "'which' has \(UInt(bitPattern: count)) of \(all.count) particles")
    }
    let which = Array(UnsafeBufferPointer(start: pointer, count: count))
    if let other = which.first(where: { !all.contains($0) }) {
      throw BadCall(
        "'which' contains the particle \(UInt(bitPattern: other)); the particles are 0 to \(all.count - 1)"
      )
    }
    return which
  }
}

extension SimulatedDoubt {
  /// nil of a number that is none.
  init?(_ doubt: bagel_doubt) {
    switch doubt {
    case BAGEL_DOUBT_FUNCTION: self = .function
    case BAGEL_DOUBT_STEPS: self = .steps
    case BAGEL_DOUBT_NONE: self = .none
    default: return nil
    }
  }

  var code: bagel_doubt {
    switch self {
    case .function: BAGEL_DOUBT_FUNCTION
    case .steps: BAGEL_DOUBT_STEPS
    case .none: BAGEL_DOUBT_NONE
    }
  }
}
