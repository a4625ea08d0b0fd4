// SPDX-License-Identifier: Apache-2.0
// What ends a figure.

import Faults

/// A figure that cannot be measured or drawn.
package struct ReproductionError: Fault {
  package let statement: String
  package var origin: FaultOrigin { .surroundings }

  package init(_ statement: String) { self.statement = statement }
}
