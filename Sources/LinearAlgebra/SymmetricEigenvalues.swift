// SPDX-License-Identifier: Apache-2.0
// Eigenvalues and eigenvectors of a symmetric matrix by LAPACK's dsyev.

import CBLAS

extension Matrix {
  /// A = V diag(values) V^T of a symmetric A, values ascending, eigenvectors as the columns of V.
  ///
  /// Only one triangle is read. A failure to converge (an entry that is not finite) is a caller's bug.
  package var symmetricEigenvalues: (values: [Double], vectors: Matrix) {
    precondition(rows == columns, "\(rows) x \(columns) is not symmetric")
    var vectors = self
    var eigenvalues = [Double](repeating: 0, count: rows)
    var n = Int32(rows)
    var lda = max(n, 1)
    var info: Int32 = 0
    var size: Int32 = -1
    var wanted = 0.0
    dsyev_("V", "U", &n, &vectors.values, &lda, &eigenvalues, &wanted, &size, &info)
    size = Int32(wanted)
    var work = [Double](repeating: 0, count: Int(size))
    dsyev_("V", "U", &n, &vectors.values, &lda, &eigenvalues, &work, &size, &info)
    precondition(info == 0, "dsyev failed with \(info)")
    // LAPACK is column-major: its columns are our rows.
    return (eigenvalues, vectors.transposed)
  }
}
