import Execution
import Programs
import Policies
func make(_ b: ProgramBuilder, step: Bool, policy: Policy) -> Program {
  let s = b.input("state", length: 2)
  func reward(_ x: Value) -> Value { exp(-0.5 * dot(b.constant([10, 0.1]), x * x)) }
  if !step { _ = b.output("reward", reward(s)); return b.finish() }
  let u = policy.action(state: s, goal: nil)
  let m = b.apply(.interpolation(Interpolation(table: "table", geometry: "geometry", dimensions: 3, outputs: 4)), b.concatenate([s, u]))
  let e = b.normal(length: 2)
  let next = s + b.concatenate([m[0] + m[1] * e[0], m[2] + m[3] * e[1]])
  b.output("next", next); b.output("reward", reward(next)); b.output("action", u)
  return b.finish()
}
let layers = CommandLine.arguments.count > 2 ? CommandLine.arguments[2].split(separator: ",").map { Int($0)! } : [8, 8]
let policy = Policy.network(hidden: layers, stateLength: 2, lower: [-1], upper: [1])
let r = RolloutProgram(initial: make(ProgramBuilder(), step: false, policy: policy), step: make(ProgramBuilder(), step: true, policy: policy), parameterCount: policy.parameterCount, stateLimit: 1e4)
let G = 64
var table: [Double] = []
for i in 0..<G { for j in 0..<G { for k in 0..<G {
  let x = -3 + 6.0*Double(i)/63, y = -3+6.0*Double(j)/63, z = -3+6.0*Double(k)/63
  table += [0.05*y, 0.002+0.0005*x*x, 0.25*(z-y)-0.02*x, 0.004+0.001*y*y] } } }
let data = ["table": table, "geometry": [-3, 63/6.0, 64, -3, 63/6.0, 64, -3, 63/6.0, 64]]
let B = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1])! : 100
let ex = try HostExecutor(r, data: data)
print(ex.device, ex.loadSeconds, ex.wasCached)
if CommandLine.arguments.count > 3 { print(ex.source.text) }
var batch = RolloutBatch(parameters: policy.initialParameters(3), initialStates: (0..<B).flatMap { _ in [-1.0, 0.0] }, goals: [], particles: B, horizon: 300, draws: DrawKey(seed: 1))
for _ in 0..<8 { let t = ContinuousClock.now; let g = try ex.gradient(batch); print(t.duration(to: .now).seconds*1e3, "ms", g.returns.mean, g.gradient.prefix(3), g.returns.diverged, g.returns.outsideFraction) }
batch.particles = 3; batch.horizon = 20; batch.initialStates = Array(batch.initialStates.prefix(6))
let ref = InterpreterExecutor(r, data: data).gradient(batch), h = try ex.gradient(batch)
print(ref.returns.mean, h.returns.mean); print(zip(ref.gradient, h.gradient).map { abs($0-$1) }.max()!, ref.gradient.map(abs).max()!)
