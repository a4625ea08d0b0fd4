// SPDX-License-Identifier: Apache-2.0
// What peers need for an iteration, read from what their benchmark printed.

import Bagel
import Foundation
import MachineLogs

/// What a peer needs for an iteration: a line of Benchmarks/gpytorch_iteration.py.
package struct PeerCost: Decodable, Sendable {
  let peer: String
  let particles: Int
  let horizon: Int
  let layers: [Int]
  let device: String
  /// Training points, and points per axis of its grid if it has one.
  let points: Int
  let grid: Int?
  let seconds: Double
  /// Of the process on the host, at its peak, and of the GPU where it ran there.
  let processMebibytes: Double
  let deviceMebibytes: Double?

  private enum CodingKeys: String, CodingKey {
    case peer, particles, horizon, layers, device, grid
    case points = "n"
    case seconds = "seconds_per_iteration"
    case processMebibytes = "peak_mib"
    case deviceMebibytes = "gpu_mib"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    peer = try values.decode(String.self, forKey: .peer)
    particles = try values.decode(Int.self, forKey: .particles)
    horizon = try values.decode(Int.self, forKey: .horizon)
    layers = try values.decode([Int].self, forKey: .layers)
    device = try values.decode(String.self, forKey: .device)
    points = try values.decode(Int.self, forKey: .points)
    grid = try values.decodeIfPresent(Int.self, forKey: .grid)
    seconds = try values.decode(Double.self, forKey: .seconds)
    processMebibytes = try values.decode(Double.self, forKey: .processMebibytes)
    deviceMebibytes = try values.decodeIfPresent(Double.self, forKey: .deviceMebibytes)
  }

  /// One a line of a file. Throws: `LogError` where a line is none, and where there is none.
  package static func read(_ path: String) throws -> [PeerCost] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw LogError(file: path, "cannot be read")
    }
    let costs = try text.split(separator: "\n").enumerated().map { index, line in
      do { return try JSONDecoder().decode(PeerCost.self, from: Data(line.utf8)) } catch {
        throw LogError(
          file: path, line: index + 1,
          "is not what Benchmarks/gpytorch_iteration.py prints: one JSON object with peer, particles, horizon, layers, n, "
            + "device, seconds_per_iteration and peak_mib")
      }
    }
    if costs.isEmpty { throw LogError(file: path, "has no line of a peer") }
    return costs
  }

  /// With what it ran on and how it knows variances.
  var name: String {
    "\(peer), \(device == "cpu" ? "CPU" : "GPU"), \(grid.map { "KISS-GP \($0)^3" } ?? "LOVE")"
  }

  var configuration: Figure5Options.Configuration { .init(particles, horizon, layers) }
}
