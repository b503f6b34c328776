internal import Linux

/// What of a host no sandbox sees: keys and credentials of people and of the machine, memory on disk, and what container runtimes
/// and other sandboxes keep.
///
/// Not hidden, since a trial would differ from live or a change set be wrong without it: `/etc/shadow` and its kin (adding a user
/// rewrites them, and an empty one would be promoted), `/etc/machine-id`, and the TLS keys in `/etc/ssl/private` and the like that
/// live's own services read. A profile's `hide` takes them out where they are not needed.
///
/// Sockets of the host need no entry: those in `/run`, `/tmp` and `/dev` are behind a fresh directory, and one that is seen through a
/// copy-on-write layer is another inode than the one that somebody listens on, so that connecting to it is refused.
enum HostSecrets {
    /// Hidden where they exist.
    static let fixed: [(path: String, why: String)] = [
        ("/etc/ssh/ssh_host_rsa_key", "the host's SSH key"), ("/etc/ssh/ssh_host_ecdsa_key", "the host's SSH key"),
        ("/etc/ssh/ssh_host_ed25519_key", "the host's SSH key"), ("/etc/ssh/ssh_host_dsa_key", "the host's SSH key"),
        ("/etc/krb5.keytab", "the host's Kerberos key"), ("/etc/wireguard", "the host's VPN keys"),
        ("/etc/ipsec.secrets", "the host's VPN keys"), ("/etc/ppp/chap-secrets", "the host's network passwords"),
        ("/etc/NetworkManager/system-connections", "the host's network passwords"),
        ("/etc/cryptsetup-keys.d", "disk keys"), ("/etc/luks-keys", "disk keys"),
        ("/etc/kubernetes", "a cluster's credentials"), ("/etc/rancher", "a cluster's credentials"),
        ("/var/lib/kubelet", "a cluster agent's state"), ("/var/lib/rancher", "a cluster agent's state"),
        ("/var/lib/etcd", "a cluster's state"), ("/var/snap/microk8s", "a cluster agent's state"),
        ("/var/lib/docker", "a container runtime's state"), ("/var/lib/containerd", "a container runtime's state"),
        ("/var/lib/containers", "a container runtime's state"), ("/var/lib/buildkit", "a container runtime's state"),
        ("/var/lib/lxd", "a container runtime's state"), ("/var/snap/lxd", "a container runtime's state"),
        ("/var/lib/lxc", "a container runtime's state"), ("/var/lib/incus", "a container runtime's state"),
        ("/var/lib/machines", "a container runtime's state"), ("/var/lib/libvirt", "virtual machines"),
        ("/var/lib/cloud", "the cloud's data about this machine"),
        ("/var/lib/waagent", "the cloud's data about this machine"),
        ("/var/lib/systemd/random-seed", "the host's random seed"),
        ("/var/lib/systemd/credential.secret", "the host's credential key"),
        ("/etc/credstore", "the host's credentials"),
        ("/etc/credstore.encrypted", "the host's credentials"),
        ("/var/lib/systemd/coredump", "memory of the host's processes"),
        ("/var/crash", "memory of the host's processes"),
        ("/boot/efi", "the machine's firmware partition"), ("/efi", "the machine's firmware partition"),
    ]

    /// Hidden in the home directory of every user, system users included.
    static let personal: [(path: String, why: String)] = [
        (".ssh", "SSH keys"), (".gnupg", "GnuPG keys"), (".aws", "cloud credentials"), (".azure", "cloud credentials"),
        (".config/gcloud", "cloud credentials"), (".oci", "cloud credentials"), (".config/doctl", "cloud credentials"),
        (".kube", "cluster credentials"), (".docker", "registry credentials"),
        (".config/containers", "registry credentials"), (".netrc", "passwords"), (".git-credentials", "passwords"),
        (".config/git/credentials", "passwords"), (".config/gh", "tokens"), (".config/hub", "tokens"),
        (".npmrc", "tokens"), (".pypirc", "tokens"), (".cargo/credentials", "tokens"),
        (".cargo/credentials.toml", "tokens"), (".gem/credentials", "tokens"), (".m2/settings.xml", "passwords"),
        (".vault-token", "tokens"), (".terraform.d/credentials.tfrc.json", "tokens"), (".pgpass", "passwords"),
        (".my.cnf", "passwords"), (".password-store", "passwords"), (".local/share/keyrings", "passwords"),
        (".local/share/containers", "a container runtime's state"), (".mozilla", "a browser's passwords"),
        (".config/chromium", "a browser's passwords"), (".config/google-chrome", "a browser's passwords"),
    ]

    /// Past so many, whole home directories are hidden instead: the sandbox takes only so many single paths.
    static let most = 512

    /// What there is of all that.
    ///
    /// `root` is where the host's files lie; empty for the live host.
    static func found(root: String = "") -> [HiddenPath] {
        var result = fixed.map { HiddenPath(path: $0.path, why: $0.why) }
        result += swapFiles(root: root)
        // A directory of its own, not the usual link to /run: the sockets in it would be in sight.
        if let status = (try? Files.status("\(root)/var/run")).flatMap({ $0 }), status.isDirectory {
            result.append(HiddenPath(path: "/var/run", why: "the host's running services"))
        }
        let homes = homes(root: root)
        let own = homes.flatMap { home in
            personal(in: home, root: root)
        }
        if own.count <= most { return result + own }
        return result
            + homes.filter { !personal(in: $0, root: root).isEmpty }.map {
                HiddenPath(path: $0, why: "a home directory with keys or passwords in it")
            }
    }

    /// The first names of ``personal``'s paths, in its order.
    private static let firstNames = personal.map { String(decoding: $0.path.utf8.prefix { $0 != 47 }, as: UTF8.self) }

    private static func personal(in home: String, root: String) -> [HiddenPath] {
        let names = Set(((try? Files.entries(root + home)) ?? []).map { String(decoding: $0, as: UTF8.self) })
        return personal.indices.filter { index in
            guard names.contains(firstNames[index]) else { return false }
            let path = personal[index].path
            return path.utf8.count == firstNames[index].utf8.count
                || (try? Files.status("\(root)\(home)/\(path)")).flatMap { $0 } != nil
        }.map { HiddenPath(path: "\(home)/\(personal[$0].path)", why: "somebody's \(personal[$0].why)") }
    }

    /// Home directories: those of passwd, and whatever lies in `/home`, where users of other directories (LDAP) have theirs.
    static func homes(root: String = "") -> [String] {
        var found: Set<String> = ["/root"]
        for line in ((try? Files.readString("\(root)/etc/passwd")) ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            if parts.count > 5, parts[5].hasPrefix("/") { found.insert(String(parts[5])) }
        }
        for name in (try? Files.entries("\(root)/home")) ?? [] {
            if let name = String(validating: name, as: UTF8.self) { found.insert("/home/\(name)") }
        }
        // Directories of the system's that stand in passwd for want of a home.
        let system = [
            "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/dev", "/proc", "/sys", "/run", "/tmp", "/nonexistent",
        ]
        return found.filter { path in
            path != "/" && !path.split(separator: "/").contains("..") && !HostView.isBelow(path, system)
        }.sorted()
    }

    /// Files that the host swaps to: they hold its processes' memory.
    private static func swapFiles(root: String) -> [HiddenPath] {
        ((try? Files.readString("\(root)/proc/swaps")) ?? "").split(separator: "\n").dropFirst().compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count > 1, words[1] == "file", let path = MountInfo.unescaped(String(words[0])) else {
                return nil
            }
            return HiddenPath(path: path, why: "memory of the host's processes")
        }
    }
}
