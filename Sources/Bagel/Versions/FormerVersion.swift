// SPDX-License-Identifier: Apache-2.0
// The version of a policy before another one.

import Policies

extension VersionStore {
  /// The last policy version before that of a fingerprint which is another policy of the same machine; before the end where no
  /// version has that fingerprint. nil where there is none.
  ///
  /// - Parameters:
  ///   - policy: a fingerprint.
  ///   - expected: what the task wants of a policy.
  public func former(
    than policy: String, for expected: PolicyDescription
  ) -> (version: Version, controller: PolicyController, description: PolicyDescription)? {
    let own = versions.filter { $0.kind == .policy }
    let end = own.lastIndex { $0.policy == policy } ?? own.endIndex
    return own[..<end].reversed().lazy.filter { $0.policy != nil && $0.policy != policy }
      .compactMap { version in
        guard
          let found = try? PolicyController.read(path: path(version), for: expected),
          found.controller.fingerprint == version.policy
        else { return nil }
        return (version, found.controller, found.description)
      }.first
  }
}
