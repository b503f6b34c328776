@testable import Cgroups
import Linux
import Testing

@Suite("Layouts, on trees of plain files")
struct LayoutTests {
    static let unified = [
        "cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": "",
        "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    ]
    static let legacy = [
        "memory/cgroup.procs": "", "memory/memory.usage_in_bytes": "0", "pids/cgroup.procs": "",
        "cpu,cpuacct/cgroup.procs": "", "cpu,cpuacct/cpu.shares": "1024", "cpu,cpuacct/cpuacct.usage": "0",
        "freezer/cgroup.procs": "", "blkio/cgroup.procs": "",
    ]

    @Test("version 2: the controllers the root offers, without a need for a freezer or accounting controller")
    func unifiedLayout() async throws {
        try await withDirectory { root in
            try plant(Self.unified, in: root)
            let host = try CgroupHost.detect(root: root)
            #expect(host.layout == .unified && host.unifiedRoot == root)
            #expect(host.available() == Set(Controller.allCases) && host.missing.isEmpty)
            #expect(host.roots.map(\.root) == [root])
        }
    }

    @Test("version 2 without a controller says which, and why")
    func unifiedMissing() async throws {
        try await withDirectory { root in
            try plant(Self.unified.merging(["cgroup.controllers": "cpu pids\n"]) { $1 }, in: root)
            let host = try CgroupHost.detect(root: root)
            #expect(Set(host.missing.keys) == [.memory, .io])
            #expect(host.missing[.memory]?.contains("cgroup.controllers does not offer memory") == true)
        }
    }

    @Test("version 1: controllers mounted together under two names are joined once")
    func legacyLayout() async throws {
        try await withDirectory { root in
            try plant(Self.legacy, in: root)
            try Files.symlink("cpu,cpuacct", at: "\(root)/cpu")
            try Files.symlink("cpu,cpuacct", at: "\(root)/cpuacct")
            let host = try CgroupHost.detect(root: root)
            #expect(host.layout == .legacy && host.unifiedRoot == nil)
            #expect(host.available() == Set(Controller.allCases).subtracting([.pressure]))
            #expect(host.missing[.pressure]?.contains("version 1") == true)
            #expect(host.roots.count == 5 && host.roots.allSatisfy { !$0.isUnified })
            let cgroup = try Cgroup.create(on: host, path: "grace/x")
            #expect(try Files.status("\(root)/cpuacct/grace/x")?.isDirectory == true)
            try await cgroup.remove()
            #expect(try Files.status("\(root)/cpuacct/grace/x") == nil)
        }
    }

    @Test("hybrid: limits from version 1, pressure from the unified tree, which is joined too")
    func hybridLayout() async throws {
        try await withDirectory { root in
            try plant(Self.legacy, in: root)
            try plant(
                Self.unified.merging(["cgroup.controllers": "hugetlb\n"]) { $1 }.reduce(into: [:]) {
                    $0["unified/\($1.key)"] = $1.value
                }, in: root)
            let host = try CgroupHost.detect(root: root)
            #expect(host.layout == .hybrid && host.unifiedRoot == "\(root)/unified")
            #expect(host.homes[.memory] == .legacy("\(root)/memory") && host.homes[.pressure] == .unified)
            #expect(host.homes[.cpu] == nil)  // no link cpu -> cpu,cpuacct here: it isn't where it should be
            #expect(host.roots.last?.root == "\(root)/unified")
        }
    }

    @Test("a controller that version 1 does not hold but a hybrid host's unified tree offers is used there")
    func mixedLayout() async throws {
        try await withDirectory { root in
            try plant(Self.legacy.filter { !$0.key.hasPrefix("memory/") }, in: root)
            try plant(Self.unified.reduce(into: [:]) { $0["unified/\($1.key)"] = $1.value }, in: root)
            let host = try CgroupHost.detect(root: root)
            #expect(host.homes[.memory] == .unified && host.homes[.pids] == .legacy("\(root)/pids"))
        }
    }

    @Test("no cgroups is a sentence that says how to mount them; a plain directory named like a controller is none")
    func nothing() async throws {
        try await withDirectory { root in
            try plant(["memory/readme": "x"], in: root)
            #expect(throws: CgroupError.notMounted(root: root)) { try CgroupHost.detect(root: root) }
        }
    }

    @Test("version 2 switches on what is wanted for the children, level by level, and nothing twice")
    func subtreeControl() async throws {
        try await withDirectory { root in
            try plant(Self.unified.merging(["cgroup.subtree_control": "memory"]) { $1 }, in: root)
            try plant(["grace/cgroup.controllers": "memory pids", "grace/cgroup.subtree_control": "memory"], in: root)
            let cgroup = try Cgroup.create(on: try CgroupHost.detect(root: root), path: "grace/x")
            // Plain files: each write lands on the one before. The last one written, at each level:
            #expect(try Files.readString("\(root)/grace/cgroup.subtree_control") == "+pidsy")
            #expect(try Files.readString("\(root)/cgroup.subtree_control").hasPrefix("+io"))
            try await cgroup.remove()
        }
    }

    @Test(
        "a path that climbs, begins at the root or has empty parts is refused",
        arguments: ["", "/a", "a//b", "../a", "a/..", "a/."])
    func paths(path: String) async throws {
        try await withDirectory { root in
            try plant(Self.unified, in: root)
            let host = try CgroupHost.detect(root: root)
            #expect(throws: CgroupError.badPath(path)) { try Cgroup.create(on: host, path: path) }
            #expect(throws: CgroupError.badPath(path)) { try Cgroup.open(on: host, path: path) }
            #expect(Cgroup.find(on: host, unit: path) == nil)
        }
    }

    @Test("units are found by name, with or without their suffix, in deeper slices, and by path")
    func units() async throws {
        try await withDirectory { root in
            try plant(Self.unified, in: root)
            let paths = [
                "system.slice/app.service", "system.slice/system-db.slice/db@1.service", "grace/x",
                "user.slice/u.scope",
            ]
            for path in paths { try plant(["\(path)/cgroup.procs": ""], in: root) }
            let host = try CgroupHost.detect(root: root)
            #expect(Cgroup.find(on: host, unit: "app.service")?.path == paths[0])
            #expect(Cgroup.find(on: host, unit: "app")?.path == paths[0])
            #expect(Cgroup.find(on: host, unit: "db@1")?.path == paths[1])
            #expect(Cgroup.find(on: host, unit: "grace/x")?.path == paths[2])
            #expect(Cgroup.find(on: host, unit: "u.scope")?.path == paths[3])
            #expect(Cgroup.find(on: host, unit: "none") == nil)
            #expect(throws: CgroupError.missing(path: "none.service")) {
                try Cgroup.open(on: host, path: "none.service")
            }
        }
    }

    @Test("what was only opened is not removed")
    func notOurs() async throws {
        try await withDirectory { root in
            try plant(Self.unified.merging(["a/cgroup.procs": ""]) { $1 }, in: root)
            let cgroup = try Cgroup.open(on: try CgroupHost.detect(root: root), path: "a")
            await #expect(throws: CgroupError.notOurs(path: "a")) { try await cgroup.remove() }
        }
    }
}
