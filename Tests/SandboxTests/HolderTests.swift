import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Who keeps a device busy is told by name, although no mount table shows a sandbox's layers.
@Suite(.enabled(if: Host.isRoot)) struct HolderTests {
    @Test func aSandboxHoldsADeviceThatTheHostHasUnmounted() async throws {
        try await Host.withDirectory { directory in
            let place = try BoundedPlace.make(
                "\(directory)/disk", image: "\(directory)/disk.img", limit: DiskLimit(bytes: 16 << 20))
            defer { try? place.remove() }
            try #require(place.means == .image)
            let device = try DeviceHolder.device(named: place.directory)
            let sandbox = try await Host.engine(directory).start(
                SandboxSpecification(profile: Host.profile(), label: "holder"))
            try BoundedPlace.unmount(place.directory)
            func holders() -> [DeviceHolder] {
                DeviceHolder.find(device, forks: "\(directory)/none")
            }
            let found = holders().filter { $0.kind == .sandbox }
            #expect(found.count == 1)
            #expect(found.first?.name.hasSuffix("-holder") == true)
            #expect(found.first?.pid == getpid())
            // The truth of it: the loop device is still taken.
            #expect(DiskTests.loops().contains("loop\(device.minor)"))
            _ = try await sandbox.end()
            #expect(holders().filter { $0.kind == .sandbox }.isEmpty)
            for _ in 0..<100 where DiskTests.loops().contains("loop\(device.minor)") {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(!DiskTests.loops().contains("loop\(device.minor)"))
        }
    }

    @Test func aRecordThatCannotBeMadeIsAnErrorAndNotSilence() throws {
        var before = rlimit()
        try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &before) == 0)
        var none = rlimit(rlim_cur: 0, rlim_max: before.rlim_max)
        try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none) == 0)
        let made = Result { try DeviceHolder.record(["8:17"], of: "sandbox") }
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &before)
        let error = #expect(throws: SystemError.self) { try made.get() }
        #expect(error?.code == EMFILE)
        #expect(try DeviceHolder.record((0..<17).map { "8:\($0)" }, of: "sandbox").count == 3)
    }

    @Test func aDeviceMayBeNamedByNumbersOrByAPathAndNothingElse() throws {
        #expect(try DeviceHolder.device(named: "8:17") == DeviceNumber(major: 8, minor: 17))
        #expect(try DeviceHolder.device(named: "/etc") == Files.status("/etc")?.device)
        #expect(throws: SandboxError.self) { try DeviceHolder.device(named: "/nowhere") }
    }
}
