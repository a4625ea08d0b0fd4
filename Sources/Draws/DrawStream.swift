// SPDX-License-Identifier: Apache-2.0
// The register of random streams: whoever draws from a seed has a number here, so that no two draw the same numbers. (Two
// equal raw values do not compile.) A draw's coordinates are (seed, iteration, particle, step, dimension):
//
//   iteration   0, 1, ... of a search; a stream of `DrawStream` for everything else (the probes of stochastic
//               likelihoods, which no user's seed changes, have a seed of their own)
//   step        0, 1, ... of a rollout; a `ReservedStep` for what is drawn once a rollout
//   dimension   allotted within a step by the slots of its program (StepSlots)

/// Draws that belong to no iteration of a search. The values are words in ASCII; a search would need six million
/// iterations to reach the least of them.
package enum DrawStream: UInt32, Hashable, Sendable, CaseIterable {
  /// Sensors of the simulated plants.
  case boomSensors = 0x626f_6f6d
  case cartPoleSensors = 0x6361_7274
  case pendulumSensors = 0x7065_6e64
  case craneSensors = 0x6372_616e
  /// Those of a learnt model that is driven as a machine.
  case simulatedSensors = 0x7369_6d75
  /// Parameters of a simulated plant that are spread about their values.
  case plantSpread = 0x7661_7279
  /// Set points and pauses of driving like a person's.
  case manualDriving = 0x6472_6976
  /// Random actions while exploring, and where an exploration starts.
  case exploration = 0x6578_706c
  case explorationStart = 0x6578_7374
  /// Starts and goals of the episodes that judge a policy.
  case evaluation = 0x6576_616c
  /// First parameters of policies.
  case networkParameters = 0x706f_6c69
  case radialBasisParameters = 0x7262_6670
  /// Points at which samplers are measured.
  case samplerPoints = 0x626f_7865
  /// Frequencies of a pathwise sampler's Fourier features (its seed is the output's number).
  case fourierFeatures = 0x7061_7468
  /// Rows from which runs begin that a mean is refined on.
  case runStarts = 0x7275_6e73
  /// Sensors of the rollouts by which a policy's errors are promised.
  case promisedSensors = 0x7072_6f6d
  /// Rows by which exported code is tested.
  case exportedVectors = 0x6578_7063
  /// Commands that are tried for a proposal.
  case proposals = 0x7072_6f70
  /// Populations of CMA-ES.
  case evolution = 0x63_6d61
}

/// Steps that no rollout reaches.
package enum ReservedStep: Int, Hashable, Sendable, CaseIterable {
  case initialStates = 0x4000_0000
  case goals = 0x4000_0001
  /// Rows of logs from which particles are disturbed.
  case disturbances = 0x4000_0002
  /// How far a machine's answers to commands are off what a model says.
  case commandErrors = 0x4000_0003
  /// Functions drawn from the posterior: output m has this step plus m.
  case functionDraws = 0x5000_0000
}

extension DrawKey {
  /// The draws of one stream.
  package init(seed: UInt64, stream: DrawStream) {
    self.init(seed: seed, iteration: stream.rawValue)
  }
}
