// SPDX-License-Identifier: Apache-2.0
// The version of a policy before another one.

import Faults
import Policies

/// A policy that another one came after.
package struct FormerPolicy {
  package let version: Version
  package let controller: PolicyController
  package let description: PolicyDescription
}

/// Why there is no former version, in words.
package struct NoFormerPolicy: Fault {
  package let statement: String

  package init(_ statement: String) { self.statement = statement }
}

extension VersionStore {
  /// The last version before a policy's own that is another policy of the same machine.
  ///
  /// - Parameters:
  ///   - policy: a fingerprint.
  ///   - expected: what the task wants of a policy.
  ///   - skipped: called for each skipped version, with the reason.
  /// - Throws: `NoFormerPolicy`.
  package func former(
    than policy: String, for expected: PolicyDescription, skipped: (Version, String) -> Void
  ) throws(NoFormerPolicy) -> FormerPolicy {
    let policies = versions.filter { $0.kind == .policy }
    guard let own = policies.lastIndex(where: { $0.policy == policy }) else {
      throw NoFormerPolicy("the policy is not among the versions in \(folder)")
    }
    for version in policies[..<own].reversed()
    where version.policy != nil && version.policy != policy {
      do {
        let (controller, description) = try PolicyController.read(
          path: path(version), for: expected)
        if controller.fingerprint == version.policy {
          return FormerPolicy(version: version, controller: controller, description: description)
        }
        skipped(version, "its file has changed since it was stored")
      } catch {
        skipped(version, "\(error)")
      }
    }
    throw NoFormerPolicy(
      "no other policy of this machine is stored before version \(policies[own].number)")
  }
}
