// SPDX-License-Identifier: Apache-2.0
// The cache of kernels as the command uses it: the folder that it takes, full and read-only disks, compilers that fail,
// hang or are killed with bagel, several commands at once. Compilers that misbehave are scripts named by BAGEL_CLANG.

import Bagel
import Execution
import Foundation
import TestSupport
import Testing

/// Compiles two small kernels, or takes them from the cache.
private let compiling = [
  "benchmark", "iteration", "--particles", "8", "--horizon", "2", "--points", "60",
]

private func names(_ folder: String) -> [String] {
  ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
}

/// Bytes of a file, 0 where none is.
private func size(_ path: String) -> off_t {
  var information = stat()
  return stat(path, &information) == 0 ? information.st_size : 0
}

/// A compiler that runs this shell script.
private func compiler(_ script: String) throws -> String {
  let path = try Scratch.folder() + "/clang"
  try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
  chmod(path, 0o755)
  return path
}

/// Runs bagel as `env` and other programs before it change its surroundings.
private func bagel(under words: [String], _ arguments: [String]) throws -> Outcome {
  try run(words[0], Array(words.dropFirst()) + [bagelBinary] + arguments)
}

/// Whether a process lives; one that has ended and nobody has asked after does not (state Z).
private func isRunning(_ identifier: pid_t) -> Bool {
  let state = (try? run("/bin/ps", ["-o", "stat=", "-p", "\(identifier)"]).output) ?? ""
  return !state.isEmpty && !state.hasPrefix("Z")
}

private func isRoot(_ what: String) -> Bool {
  if geteuid() == 0 { return true }
  print("skipped: not root, \(what)")
  return false
}

@Suite("kernel cache of the command")
struct KernelCacheCommandTests {
  @Test("the folder: XDG_CACHE_HOME, HOME, the list of users, TMPDIR")
  func places() throws {
    let home = try Scratch.folder()
    let last = "bagel-cache-\(geteuid())"
    let cases: [(settings: [String], folder: String, note: String?)] = [
      (["XDG_CACHE_HOME=\(home)/xdg"], "\(home)/xdg/bagel", nil),
      (["XDG_CACHE_HOME=relative", "HOME=\(home)"], "\(home)/.cache/bagel", nil),
      (["HOME=\(home)"], "\(home)/.cache/bagel", nil),
      (["HOME=/dev/null", "TMPDIR=\(home)"], "\(home)/\(last)", "/dev/null does not exist"),
      (["HOME=\(home)/none", "TMPDIR=\(home)"], "\(home)/\(last)", "none does not exist"),
    ]
    for (settings, folder, note) in cases {
      let outcome = try bagel(
        under: ["/usr/bin/env", "-u", "XDG_CACHE_HOME"] + settings, ["doctor", "--json"])
      #expect(outcome.json["cache"] as? String == folder, "\(settings): \(outcome.errors)")
      let notes = outcome.json["cacheNotes"] as? [String] ?? []
      #expect(notes.count == (note == nil ? 0 : 1), "\(notes)")
      if let note { #expect(notes.joined().contains(note), "\(notes)") }
    }
    let unset = try bagel(
      under: ["/usr/bin/env", "-u", "XDG_CACHE_HOME", "-u", "HOME"], ["doctor", "--json"])
    let listed = String(cString: getpwuid(geteuid()).pointee.pw_dir)
    #expect(unset.json["cache"] as? String == listed + "/.cache/bagel")
  }

  @Test("a home folder that cannot be written gives way to TMPDIR, an unsafe one is an error")
  func unwritableHome() throws {
    guard isRoot("no other user's home") else { return }
    let other = ["/usr/bin/setpriv", "--reuid", "1234", "--clear-groups", "/usr/bin/env"]
    guard try bagel(under: other, ["--version"]).status == 0 else {
      return print("skipped: other users cannot run \(bagelBinary)")
    }
    let temporary = "/tmp/bagel-home-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: temporary) }
    try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: false)
    chmod(temporary, 0o1777)
    for home in ["/", "/nonexistent", "/root"] {
      let words = other + ["-u", "XDG_CACHE_HOME", "HOME=\(home)", "TMPDIR=\(temporary)"]
      let outcome = try bagel(under: words, ["doctor", "--json"])
      #expect(outcome.json["cache"] as? String == "\(temporary)/bagel-cache-1234", "\(home)")
      #expect((outcome.json["cacheNotes"] as? [String])?.count == 1, "\(outcome.json)")
    }
    // As in a container that does not know the machine's root: its folders seem to be nobody's.
    let container =
      Array(other.dropLast()) + ["/usr/bin/unshare", "-U", "-c", "/usr/bin/env"]
    if try run(container[0], Array(container.dropFirst()) + ["true"]).status == 0 {
      let words = container + ["-u", "XDG_CACHE_HOME", "HOME=/", "TMPDIR=\(temporary)"]
      let outcome = try bagel(under: words, ["doctor", "--json"])
      #expect(outcome.json["cache"] as? String == "\(temporary)/bagel-cache-1234")
    } else {
      print("skipped: no user namespaces")
    }
    // Taken by another user beforehand.
    chown(temporary + "/bagel-cache-1234", 4321, 4321)
    let taken = try bagel(
      under: other + ["-u", "XDG_CACHE_HOME", "HOME=/", "TMPDIR=\(temporary)"], compiling)
    #expect(taken.status == 1 && taken.errors.contains("belongs to user 4321"), "\(taken.errors)")
  }

  @Test("an unsafe folder ends a command with the remedy; doctor shows it, goes on and fails")
  func unsafe() throws {
    let home = try Scratch.folder()
    try FileManager.default.createDirectory(
      atPath: home + "/bagel", withIntermediateDirectories: false)
    chmod(home + "/bagel", 0o777)
    let environment = ["XDG_CACHE_HOME": home]
    let outcome = try bagel(compiling, in: home, environment: environment)
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("; chmod go-w \(home)/bagel"), "\(outcome.errors)")
    let doctor = try bagel(["doctor", "--json"], in: home, environment: environment)
    #expect(doctor.status == 1 && doctor.json["cache"] is NSNull, "\(doctor.errors)")
    #expect("\(doctor.json["cacheNotes"] ?? "")".contains("chmod go-w"))
    #expect(doctor.errors.contains("kernels:   cannot be compiled: kernel cache, \(home)/bagel"))
    #expect(doctor.json["gpus"] != nil)
  }

  @Test("several commands at once compile the same kernels and leave the entries only")
  func atOnce() throws {
    let folder = try Scratch.folder()
    let done = DispatchGroup()
    let outcomes = (0..<4).map { _ in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: bagelBinary)
      process.arguments = compiling
      process.environment = ProcessInfo.processInfo.environment.merging(
        ["XDG_CACHE_HOME": folder]) { $1 }
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      done.enter()
      process.terminationHandler = { _ in done.leave() }
      return process
    }
    for process in outcomes { try process.run() }
    done.wait()
    #expect(outcomes.map(\.terminationStatus) == [0, 0, 0, 0])
    let left = names(folder + "/bagel")
    #expect(left.count == 2 && left.allSatisfy { $0.hasSuffix(".kernel") }, "\(left)")
  }

  @Test("a killed command ends its compiler and leaves nothing")
  func killed() throws {
    let folder = try Scratch.folder()
    // Two processes; the first does not heed a polite end.
    let clang = try compiler(
      """
      trap '' TERM
      echo text > "$TMPDIR/part.o"
      echo $$ > \(folder)/running
      sleep 60 & wait; sleep 60
      """)
    let outcome = try bagel(
      compiling, in: folder, interruptWhenExists: folder + "/running", signal: SIGKILL,
      environment: ["XDG_CACHE_HOME": folder, "BAGEL_CLANG": clang])
    #expect(outcome.status == SIGKILL)
    let text = try String(contentsOfFile: folder + "/running", encoding: .utf8)
    let identifier = try #require(pid_t(text.filter(\.isNumber)))
    for _ in 0..<100 where !names(folder + "/bagel").isEmpty || isRunning(identifier) {
      usleep(50_000)
    }
    #expect(names(folder + "/bagel") == [])
    #expect(!isRunning(identifier), "the compiler still runs")
  }

  @Test("a command killed while it stores a GPU's code leaves nothing", arguments: [0, 1, 2])
  func killedWhileStoring(_ attempt: Int) throws {
    let folder = try Scratch.folder()
    let libraries = try slowlyStoredGPU()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: bagelBinary)
    process.arguments = compiling + ["--device", "cuda"]
    process.environment = ProcessInfo.processInfo.environment.merging(
      [
        "XDG_CACHE_HOME": folder, "BAGEL_CUDA_DRIVER": libraries.driver,
        "BAGEL_NVRTC": libraries.compiler,
      ]) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    let cache = folder + "/bagel"
    var sawPart = false
    while !sawPart && process.isRunning {
      usleep(200)
      sawPart = names(cache).contains { work in
        work.hasPrefix("work.")
          && names(cache + "/" + work).contains { size(cache + "/" + work + "/" + $0) > 1 << 20 }
      }
    }
    #expect(sawPart, "the code was never seen half written")
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal)
    // The host's kernel, which is stored before, stays.
    func isLeft(_ name: String) -> Bool {
      size(cache + "/" + name) > 1 << 20 || !name.hasSuffix(".kernel")
    }
    for _ in 0..<100 where names(cache).contains(where: isLeft) { usleep(50_000) }
    #expect(names(cache).filter(isLeft) == [])
  }

  /// The emulated GPU, and a compiler for it whose code is 60 MB of zeros.
  private func slowlyStoredGPU() throws -> (driver: String, compiler: String) {
    let emulated = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("EmulatedCUDA/emulated_cuda.c").path
    let large = Scratch.path("large.c")
    let text = """
      #define nvrtcCompileProgram emulated_compile
      #define nvrtcGetCUBINSize emulated_size
      #define nvrtcGetCUBIN emulated_code
      #include "\(emulated)"
      #undef nvrtcCompileProgram
      #undef nvrtcGetCUBINSize
      #undef nvrtcGetCUBIN
      int nvrtcCompileProgram(void *p, int count, const char *const *options) { return 0; }
      int nvrtcGetCUBINSize(void *p, size_t *size) { *size = 60000000; return 0; }
      int nvrtcGetCUBIN(void *p, char *code) { memset(code, 0, 60000000); return 0; }
      """
    try text.write(toFile: large, atomically: true, encoding: .utf8)
    let libraries = (driver: Scratch.path("driver.so"), compiler: Scratch.path("compiler.so"))
    let clang = try HostCompiler.find().path
    for (source, object) in [(emulated, libraries.driver), (large, libraries.compiler)] {
      let options = ["-O1", "-fPIC", "-shared", "-w", "-o", object, source, "-ldl"]
      let outcome = try run(clang, options)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    return libraries
  }

  @Test("what compilers say and how they end: a full disk and a killed compiler are no bug")
  func compilers() throws {
    let folder = try Scratch.folder()
    let full = "LLVM ERROR: IO failure on output stream: No space left on device"
    let wrong = "kernel.c:3:1: error: unknown type name"
    for (script, expected, absent) in [
      (
        "echo '\(full)' >&2; exit 1", ["cannot be written: No space left", "free some space"], "bug"
      ),
      ("kill -9 $$", ["ended by signal 9", "memory"], "bug"),
      ("exit 127", ["cannot be run"], "bug"),
      ("exit 0", ["wrote no object file"], "bug"),
      ("echo '\(wrong)' >&2; exit 1", ["bug in BAGEL", wrong, "failed-"], "disk"),
    ] {
      let outcome = try bagel(
        compiling, in: folder,
        environment: ["XDG_CACHE_HOME": folder, "BAGEL_CLANG": try compiler(script)])
      #expect(outcome.status == 1)
      for words in expected { #expect(outcome.errors.contains(words), "\(outcome.errors)") }
      #expect(!outcome.errors.contains(absent), "\(outcome.errors)")
    }
    let left = names(folder + "/bagel")
    #expect(left.count == 1 && left[0].hasPrefix("failed-") && left[0].hasSuffix(".c"), "\(left)")
    let kept = try String(contentsOfFile: "\(folder)/bagel/\(left[0])", encoding: .utf8)
    #expect(kept.contains("bagel_returns"))
  }

  @Test("a disk that is full, and one that is read-only; kernels on the latter still serve")
  func disks() throws {
    guard isRoot("no disk of 64 KiB") else { return }
    let folder = try Scratch.folder()
    let disk = ["-t", "tmpfs", "-o", "size=64k,mode=700", "none", folder]
    guard try run("/bin/mount", disk).status == 0 else {
      return print("skipped: no mount, no full disk")
    }
    defer { _ = try? run("/bin/umount", ["-l", folder]) }
    let environment = ["XDG_CACHE_HOME": folder]
    let full = try bagel(compiling, in: Scratch.folder(), environment: environment)
    #expect(full.status == 1 && full.errors.contains("No space left on device"), "\(full.errors)")
    #expect(full.errors.contains("\(folder)/bagel/"), "\(full.errors)")
    #expect(names(folder + "/bagel").allSatisfy { $0.hasSuffix(".kernel") })
    _ = try run("/bin/mount", ["-o", "remount,size=4m", folder])
    #expect(try bagel(compiling, in: Scratch.folder(), environment: environment).status == 0)
    _ = try run("/bin/mount", ["-o", "remount,ro", folder])
    #expect(try bagel(compiling, in: Scratch.folder(), environment: environment).status == 0)
    let other = try bagel(
      compiling + ["--layers", "5,5"], in: Scratch.folder(), environment: environment)
    #expect(other.status == 1 && other.errors.contains("Read-only file system"), "\(other.errors)")
    #expect(other.errors.contains("set XDG_CACHE_HOME"), "\(other.errors)")
    let doctor = try bagel(["doctor"], in: Scratch.folder(), environment: environment)
    #expect(doctor.status == 1 && doctor.output.contains("cannot be compiled"), "\(doctor.output)")
  }
}
