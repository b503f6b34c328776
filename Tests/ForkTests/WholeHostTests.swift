import Cgroups
import Documents
import FoundationEssentials
import Linux
import Sandbox
import Testing

@testable import Fork

/// The whole way with real sandboxes over everything that this host overlays.
@Suite(.enabled(if: isRoot, "sandboxes over the whole host need root"))
struct WholeHostTests {
    @Test(
        "a change in a sandbox over the whole host is all there is in its change set, and a candidate's sandbox sees it"
    )
    func wholeHost() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo old >f; mkdir d; echo gone >d/gone; echo database >state.db")
            let state = scene.directory + "/state"
            let store = ForkStore(
                root: state + "/forks", view: HostView.current(mounts: try MountInfo.read(), mask: [state]))
            let fork = try store.create(id: "host")
            let helper = try SandboxEngine.locateHelper()
            let engine = SandboxEngine(cgroups: try CgroupHost.detect(), helper: helper, scratch: state + "/scratch")
            _ = try await fork.snapshot(
                [SnapshotSpec(paths: [scene.live + "/state.db"])], cgroups: .detect(), helper: helper)
            try await scene.bash("echo moved on >state.db")

            func run(_ line: String, _ arm: Fork.Arm) async throws -> String {
                let sandbox = try await engine.start(
                    SandboxSpecification(
                        profile: Profile(name: "test"), overlays: try fork.overlays(for: arm), masks: [state],
                        label: "fork-test"))
                do {
                    let process = try await sandbox.spawn(.shell(line), stdout: .capture(limit: 4096), stderr: .inherit)
                    let exit = try await process.wait()
                    _ = try await sandbox.end()
                    guard exit.isSuccess else { throw Failure("\(line): \(exit)") }
                    return String(decoding: process.stdout, as: UTF8.self)
                } catch {
                    _ = try? await sandbox.end()
                    throw error
                }
            }
            let change =
                "cd \(scene.live); cat state.db; echo more >>f; rm -r d; mkdir d; chmod 600 state.db; echo t >/tmp/t; echo r >/run/r"
            #expect(try await run(change, .apply) == "database\n")
            let changes = try fork.changeSet(blobs: scene.blobs)
            #expect(scene.short(changes) == ["delete file d/gone", "modify file f", "metadata file state.db"])
            let look = "cd \(scene.live); cat f state.db; ls d; stat -c %a state.db; echo trace >trace"
            #expect(try await run(look, .candidate(instance: "1")) == "old\nmore\ndatabase\n600\n")
            #expect(try await run(look, .baseline(instance: "1")) == "old\ndatabase\ngone\n644\n")
            #expect(try fork.changeSet(blobs: scene.blobs) == changes)
        }
    }
}
