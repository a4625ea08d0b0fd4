// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4), for cache keys and checksums of compiled kernels. Why here and not
// swift-crypto: that package compiles BoringSSL in every clean build, for this one function.

/// SHA-256 of bytes, as 64 hexadecimal digits.
package func sha256(_ bytes: some Sequence<UInt8>) -> String {
  var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab,
    0x5be0_cd19,
  ]
  var message = Array(bytes)
  let bitCount = UInt64(message.count) * 8
  message.append(0x80)
  while message.count % 64 != 56 { message.append(0) }
  for shift in stride(from: 56, through: 0, by: -8) {
    message.append(UInt8(truncatingIfNeeded: bitCount >> UInt64(shift)))
  }
  var w = [UInt32](repeating: 0, count: 64)
  message.withUnsafeBufferPointer { m in
    for start in stride(from: 0, to: m.count, by: 64) { compress(m, start, &w, &state) }
  }
  return state.map { word in
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }.joined()
}

private func compress(
  _ m: UnsafeBufferPointer<UInt8>, _ start: Int, _ w: inout [UInt32], _ state: inout [UInt32]
) {
  func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
  for t in 0..<16 {
    let i = start + 4 * t
    w[t] = UInt32(m[i]) << 24 | UInt32(m[i + 1]) << 16 | UInt32(m[i + 2]) << 8 | UInt32(m[i + 3])
  }
  for t in 16..<64 {
    let s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ (w[t - 15] >> 3)
    let s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ (w[t - 2] >> 10)
    w[t] = w[t - 16] &+ s0 &+ w[t - 7] &+ s1
  }
  var (a, b, c, d) = (state[0], state[1], state[2], state[3])
  var (e, f, g, h) = (state[4], state[5], state[6], state[7])
  for t in 0..<64 {
    let s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
    let t1 = h &+ s1 &+ ((e & f) ^ (~e & g)) &+ roundConstants[t] &+ w[t]
    let s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
    let t2 = s0 &+ ((a & b) ^ (a & c) ^ (b & c))
    (h, g, f, e, d, c, b, a) = (g, f, e, d &+ t1, c, b, a, t1 &+ t2)
  }
  for (i, word) in [a, b, c, d, e, f, g, h].enumerated() { state[i] = state[i] &+ word }
}

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
private let roundConstants: [UInt32] = {
  var constants: [UInt32] = []
  var candidate: UInt64 = 2
  while constants.count < 64 {
    if !(2..<candidate).contains(where: { $0 * $0 <= candidate && candidate % $0 == 0 }) {
      // floor(cbrt(candidate) 2^32) by bisection in 128-bit integers.
      var (low, high): (UInt128, UInt128) = (0, 8 << 32)
      let target = UInt128(candidate) << 96
      while high - low > 1 {
        let middle = (low + high) / 2
        if middle * middle * middle <= target { low = middle } else { high = middle }
      }
      constants.append(UInt32(truncatingIfNeeded: low))
    }
    candidate += 1
  }
  return constants
}()
