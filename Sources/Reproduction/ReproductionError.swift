// SPDX-License-Identifier: Apache-2.0
// What ends a figure.

/// A figure that cannot be measured or drawn.
package struct ReproductionError: Error, CustomStringConvertible {
  package let description: String
}
