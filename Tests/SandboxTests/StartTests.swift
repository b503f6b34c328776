import Glibc
import Linux
import Testing

@testable import Sandbox

@Suite struct StartTests {
    @Test func aCommandRunsAndItsOutputAndExitCodeComeBack() async throws {
        let (result, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("echo out; echo err >&2; id -u; exit 7")
        }
        #expect(result.exit == .exited(7))
        #expect(result.out == "out\n0\n")
        #expect(result.err == "err\n")
        #expect(outcome.breach == nil)
    }
}
