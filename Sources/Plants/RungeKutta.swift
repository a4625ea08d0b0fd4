// SPDX-License-Identifier: Apache-2.0
// One step of x' = f(x) by the classical fourth-order method (Runge 1895, Kutta 1901).

/// x after `step` seconds.
func rungeKutta(
  _ x: [Double], step: Double, _ derivative: ([Double]) -> [Double]
) -> [Double] {
  func moved(_ k: [Double], _ h: Double) -> [Double] { zip(x, k).map { $0 + h * $1 } }
  let k1 = derivative(x)
  let k2 = derivative(moved(k1, step / 2))
  let k3 = derivative(moved(k2, step / 2))
  let k4 = derivative(moved(k3, step))
  return x.indices.map { x[$0] + step / 6 * (k1[$0] + 2 * k2[$0] + 2 * k3[$0] + k4[$0]) }
}
