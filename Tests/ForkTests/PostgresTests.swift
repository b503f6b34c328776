import Cgroups
import Documents
import FoundationEssentials
import Glibc
import Linux
import Sandbox
import Testing

@testable import Fork

/// `GRACE_POSTGRES=1` runs it: it needs Debian's package postgresql (its programs are those of the newest version there).
@Suite(.enabled(if: Processes.currentEnvironment()["GRACE_POSTGRES"] == "1", "runs where GRACE_POSTGRES is 1"))
struct PostgresTests {
    private static func programs() throws -> String {
        let place = "/usr/lib/postgresql"
        let versions = try Files.entries(place).compactMap { Int(String(decoding: $0, as: UTF8.self)) }
        let newest = try #require(versions.max(), "there is no PostgreSQL below \(place)")
        return "\(place)/\(newest)/bin"
    }

    @Test("PostgreSQL is copied under pgbench; in the fork it opens, sound, with every committed row")
    func underLoad() async throws {
        let bin = try Self.programs()
        try await Scene.with { scene in
            let (data, sockets, acknowledged) = (
                scene.live + "/pg", scene.directory + "/sockets", scene.directory + "/acknowledged"
            )
            let postgres = "runuser -u postgres --"
            let psql = "\(postgres) \(bin)/psql -h \(sockets) -d postgres -X -q -A -t -v ON_ERROR_STOP=1"
            try await scene.bash(
                "mkdir pg \(sockets) && chown postgres pg \(sockets) && chmod 700 pg && cd / && "
                    + "\(postgres) \(bin)/initdb -D '\(data)' -A trust -N >/dev/null")
            let server =
                "exec \(postgres) \(bin)/postgres -D '\(data)' -k '\(sockets)' -c listen_addresses= -c shared_buffers=16MB "
                + ">'\(scene.directory)/log' 2>&1"
            try await Scene.inGroup("cd /; \(server)") { group, _ in
                try await scene.bash(
                    "cd /; until \(bin)/pg_isready -q -h \(sockets); do sleep 0.1; done; "
                        + "\(postgres) \(bin)/pgbench -q -i -s 3 -h \(sockets) postgres 2>/dev/null && "
                        + "\(psql) -c 'CREATE TABLE rows(id SERIAL PRIMARY KEY, v TEXT)'")
                let clients = try Processes.spawn(
                    "/bin/bash",
                    arguments: [
                        "-c",
                        "cd /; \(postgres) \(bin)/pgbench -n -c 4 -T 600 -h \(sockets) postgres >/dev/null 2>&1 & "
                            + "yes \"INSERT INTO rows(v) VALUES (repeat('x', 200)) RETURNING id;\" | \(psql) >'\(acknowledged)'",
                    ], group: .new)
                let result: Result<Void, any Error>
                do {
                    for round in 1...3 {
                        try await snapshot(scene, "round-\(round)", bin, data, acknowledged, group)
                    }
                    result = .success(())
                } catch { result = .failure(error) }
                kill(-clients, SIGKILL)
                _ = try? await Processes.wait(clients)
                try result.get()
            }
        }
    }

    /// The last row that was committed, by the client's own word: `psql` shows a row once its transaction is through.
    private func rows(_ acknowledged: String) throws -> Int {
        guard try Files.status(acknowledged) != nil else { return 0 }
        let lines = try Files.readString(acknowledged).split(separator: "\n", omittingEmptySubsequences: false)
        return lines.dropLast().last.flatMap { Int($0) } ?? 0
    }

    private func snapshot(
        _ scene: Scene, _ id: String, _ bin: String, _ data: String, _ acknowledged: String, _ group: Cgroup
    ) async throws {
        let start = try rows(acknowledged)
        while try rows(acknowledged) <= start + 20 { try await Task.sleep(for: .milliseconds(20)) }
        let least = try rows(acknowledged)
        let fork = try scene.store.create(id: id)
        let report = try await fork.snapshot(
            [SnapshotSpec(paths: [data], freeze: group.path, maxPause: 30)], cgroups: .detect(),
            helper: SandboxEngine.locateHelper())
        print(
            "PostgreSQL under pgbench: \(report.parts[0].files) files, \(report.parts[0].bytes >> 20) MiB, paused for \(report.parts[0].pause ?? -1) s"
        )
        // Its server is another one, with a socket of its own, and recovers as after a power loss.
        let sockets = "\(scene.directory)/sockets-\(id)"
        let postgres = "runuser -u postgres --"
        let seen = try await scene.bash(
            """
            mkdir \(sockets); chown postgres \(sockets); cd /
            \(postgres) \(bin)/pg_ctl -s -w -t 50 -D '\(data)' -l '\(sockets)/log' -o "-k \(sockets) -c listen_addresses=" start || { cat '\(sockets)/log'; exit 1; }
            \(postgres) \(bin)/psql -h \(sockets) -d postgres -X -q -A -t -v ON_ERROR_STOP=1 <<'SQL'
            CREATE EXTENSION amcheck;
            SELECT count(bt_index_check(c.oid, true)) > 100 FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
              JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relpersistence != 't' AND i.indisready AND i.indisvalid;
            SELECT count(*) > 0 FROM pgbench_history;
            SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)
              AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history)
              AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history);
            SELECT count(*) >= \(least) AND (SELECT count(*) FROM rows WHERE id <= \(least)) = \(least) FROM rows;
            SQL
            result=$?
            \(postgres) \(bin)/pg_ctl -s -w -m fast -D '\(data)' stop; exit $result
            """, in: .baseline(instance: "1"), of: fork)
        #expect(seen.split(separator: "\n") == ["t", "t", "t", "t"], "\(seen), acknowledged \(least)")
        // Live goes on.
        let after = try rows(acknowledged)
        while try rows(acknowledged) <= after { try await Task.sleep(for: .milliseconds(20)) }
    }
}
