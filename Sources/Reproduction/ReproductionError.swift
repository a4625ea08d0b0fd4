// SPDX-License-Identifier: Apache-2.0
// What ends a figure.

/// A figure that cannot be measured or drawn.
public struct ReproductionError: Error, CustomStringConvertible {
  public let description: String
}
