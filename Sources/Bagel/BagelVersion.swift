// SPDX-License-Identifier: Apache-2.0
// The version number of a release: of the library, the command, the library for C and the Python package.

/// Semantic: major.minor.patch.
package let bagelVersion = "0.1.0"
