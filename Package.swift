// swift-tools-version: 6.2
import PackageDescription

// One list of settings for every Swift target of ours, so that no room is stricter or laxer than another.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]
let strictC: [CSetting] = [.unsafeFlags(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"])]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

/// A library room of the house. `uses` names only rooms above it (DESIGN: nothing points back down).
func room(_ name: String, _ uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, swiftSettings: strict)
}

/// The tests of a room: they may use what the room uses, and what is named here besides.
@MainActor func tests(_ name: String, _ besides: [Target.Dependency] = []) -> Target {
    let uses = targets.first { $0.name == name }?.dependencies ?? []
    return .testTarget(
        name: name + "Tests", dependencies: [.byName(name: name)] + uses + besides, swiftSettings: strict)
}

var targets: [Target] = [
    // What the kernel demands in C.
    .target(name: "CLinux", cSettings: strictC),
    .target(name: "CSandbox", cSettings: strictC),
    .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    .systemLibrary(name: "CCapability", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .executableTarget(
        name: "grace-sandbox", dependencies: ["CSandbox"], cSettings: strictC,
        // It runs inside sandboxes: no dynamic loader, no library of the host between it and the kernel, and nothing of Swift's.
        linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles"])]),

    // The rooms, in the order a mission's data flows through them.
    room("Documents", ["CYaml", crypto]),
    room("Linux", ["CLinux"]),
    room("Cgroups", ["CLinux", "Linux"]),
    room("Sandbox", ["CSandbox", "CSeccomp", "CCapability", "Documents", "Linux", "Cgroups"]),
    room("Fork", ["Documents", "Linux", "Cgroups", "Sandbox", crypto]),
    room("Measurement", ["Documents", "Linux", histogram]),
    room("Ledger", ["Documents", "Linux", crypto]),
    room("Missions", ["Documents", "Linux", "Sandbox", "Fork", "Measurement", "Ledger"]),
    room("Trust", ["Documents", "Linux", "Sandbox", "Fork", "Measurement", "Ledger", "Missions"]),
    room("Promotion", ["Documents", "Linux", "Fork", "Ledger", "Missions"]),
    room("Parliament", ["Documents", "Fork", "Measurement", "Ledger", "Missions", "Trust"]),
    room(
        "Coordinator",
        [
            "Documents", "Linux", "Sandbox", "Measurement", "Ledger", "Missions", "Trust", "Parliament", hummingbird,
            httpTypes,
            grdb, logging, lifecycle, nioCore, nioHTTP1, asyncHTTPClient,
        ]),
    room(
        "Agent",
        [
            "Documents", "Linux", "Cgroups", "Sandbox", "Fork", "Measurement", "Ledger", "Missions", "Trust",
            "Promotion",
            "Parliament", asyncHTTPClient, logging, nioCore, nioHTTP1, nioPosix,
        ]),

    // What needs neither a coordinator nor live: `grace run`, and the forks of `grace try`.
    room("Local", ["Documents", "Linux", "Cgroups", "Sandbox", "Fork"]),

    .executableTarget(
        name: "grace", dependencies: ["Linux", "Sandbox", "Local"],
        swiftSettings: strict,
        // It starts in a millisecond, where the dynamic loader alone takes five for the whole program: everything is part of it, and lies
        // where it was linked to. (Whatever finds users elsewhere than in files is loaded by programs of the C library's, see
        // NameService.) The two libraries are what FoundationEssentials stands on; it names them to the linker in static builds alone.
        linkerSettings: [
            .unsafeFlags(["-static-executable", "-l_FoundationCShims", "-l_FoundationCollections"])
        ]),
    .executableTarget(
        name: "grace-main",
        dependencies: [
            "Documents", "Linux", "Cgroups", "Sandbox", "Fork", "Measurement", "Ledger", "Missions", "Trust",
            "Promotion",
            "Parliament", "Agent", "Local", argumentParser, asyncHTTPClient, logging, nioCore,
        ],
        swiftSettings: strict),
    .executableTarget(
        name: "grace-deadman", dependencies: ["Fork", "Linux", "Promotion", argumentParser], swiftSettings: strict),
    .executableTarget(
        name: "grace-coordinator",
        dependencies: ["Coordinator", "Documents", argumentParser, logging, lifecycle, unixSignals],
        swiftSettings: strict),
    .executableTarget(
        name: "users-service",
        dependencies: [argumentParser, asyncHTTPClient, hummingbird, httpTypes, grdb, logging, nioCore, nioHTTP1],
        path: "examples/users-service",
        exclude: ["README.md", "grace"],
        sources: ["Sources"],
        swiftSettings: strict),

    // Programs that tests start; they are nobody else's.
    .executableTarget(name: "syscall-killer", path: "Tests/Programs/SyscallKiller", cSettings: strictC),
    .executableTarget(
        name: "sandbox-victim", dependencies: ["Cgroups", "Linux", "Sandbox"], path: "Tests/Programs/SandboxVictim",
        swiftSettings: strict),
    .executableTarget(
        name: "promotion-victim", dependencies: ["Fork", "Linux", "Promotion"], path: "Tests/Programs/PromotionVictim",
        swiftSettings: strict),
    // The running agent of scripts/bench; not shipped.
    .executableTarget(
        name: "grace-bench", dependencies: ["Documents", "Linux", "Cgroups", "Sandbox", "Fork", "Promotion"],
        path: "benchmarks/bench",
        swiftSettings: strict),
]

targets += [
    // They run the built programs.
    .testTarget(name: "graceTests", dependencies: ["Linux"], swiftSettings: strict),
    tests("Documents"),
    tests("Linux"),
    tests("Cgroups"),
    tests("Sandbox"),
    // The attacks that the sandbox's tests make, from inside it: for tests alone, never installed.
    .executableTarget(
        name: "grace-attacks", path: "Tests/Attacks", cSettings: strictC,
        linkerSettings: [.unsafeFlags(["-static-executable", "-nostartfiles"])]),
    tests("Fork"),
    tests("Local"),
    tests("Measurement"),
    tests("Ledger"),
    tests("Missions"),
    tests("Trust"),
    tests("Promotion"),
    tests("Parliament", ["Linux", crypto]),
    tests("Coordinator", [crypto]),
    tests("Agent", [crypto]),
]

// `GRACE_ROOMS=Ledger,Parliament swift build` builds those rooms, what they stand on and their tests alone: a developer's
// short cut, since a package's tests otherwise link only when every room compiles.
if let only = Context.environment["GRACE_ROOMS"], !only.isEmpty {
    var wanted = Set(only.split(separator: ",").map(String.init))
    if wanted.contains("grace") { wanted.insert("grace-main") }  // it becomes that one, by path
    var frontier = wanted
    while !frontier.isEmpty {
        var next: Set<String> = []
        for target in targets where frontier.contains(target.name) {
            for dependency in target.dependencies {
                if case .byNameItem(let name, _) = dependency, wanted.insert(name).inserted { next.insert(name) }
                if case .targetItem(let name, _) = dependency, wanted.insert(name).inserted { next.insert(name) }
            }
        }
        frontier = next
    }
    // Started by path, not linked.
    if wanted.contains("Sandbox") { wanted.formUnion(["grace-sandbox", "sandbox-victim"]) }
    if wanted.contains("Promotion") { wanted.formUnion(["grace-deadman", "syscall-killer", "promotion-victim"]) }
    let rooms = Set(only.split(separator: ",").map { String($0) + "Tests" })
    if rooms.contains("SandboxTests") { wanted.insert("grace-attacks") }  // started by path too
    targets = targets.filter { wanted.contains($0.name) || (rooms.contains($0.name)) }
}

let package = Package(
    name: "grace",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.0.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.0.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.5.0", traits: ["FullFoundation"]),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.24.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: targets
)
