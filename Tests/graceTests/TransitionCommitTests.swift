import Glibc
import Testing

/// Every kind of entry made over every kind of entry in a fork of the live host, committed, compared entry by entry with a plain copy in
/// which the same was done, and taken back: the built program, from the command to live and back.
@Suite(.serialized, .enabled(if: geteuid() == 0, "forks of the live host are made by root here"))
struct TransitionCommitTests {
    static let befores = [
        "file": "echo old >x", "directory": "mkdir x; echo inside >x/keep; mkdir x/sub; echo deep >x/sub/deep",
        "symlink": "ln -s other x", "nothing": ":",
    ]
    static let afters = [
        "a file": "rm -rf x; echo new >x", "more of the same": "[ -L x ] || [ -d x ] || echo more >>x",
        "a directory": "[ -d x ] || { rm -rf x; mkdir x; }; echo added >x/added",
        "an opaque directory": "rm -rf x; mkdir x; echo inside >x/keep", "nothing": "rm -rf x",
        "a symlink": "rm -rf x; ln -s elsewhere x", "a FIFO": "rm -rf x; mkfifo x",
        "a hard link": "rm -rf x; ln other x",
        "a hard-link group": "rm -rf x z; echo group >x; ln x z; chmod 640 x",
        "a sparse file": "rm -rf x; truncate -s 3M x; echo middle | dd of=x bs=1 seek=1048576 conv=notrunc status=none",
        "a socket": "rm -rf x; perl -MSocket -e \"socket(S,PF_UNIX,SOCK_STREAM,0);bind(S,sockaddr_un(q(x)))\"",
        "other metadata":
            "[ -e x ] || [ -L x ] || echo made >x; chown -h 33:34 x; [ -L x ] || chmod 4710 x; [ -L x ] || touch -d 2001-02-03 x",
    ]

    /// Kind, mode, owner, link, size, number of names and content of everything in a directory; with `$2` times too.
    private static let picture =
        "look() { (cd \"$1\"; find . -mindepth 1 -printf \"%P %y %m %U:%G %l %n $2\" -type f -printf ' %s' -printf '\\n' | LC_ALL=C sort; find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2); }; "

    @Test("committed and taken back:", arguments: befores.keys.sorted(), afters.keys.sorted())
    func transition(before: String, after: String) throws {
        let make = try #require(Self.befores[before])
        let mutate = try #require(Self.afters[after])
        try TryTests.Row(
            "\(after) over \(before)",
            Self.picture + """
                mkdir live; cd live; echo other >other; mkdir beside; echo beside >beside/file; \(make); touch -d 2002-03-04 . beside; cd ..
                cp -a live copy; look live '%T@' >old; (cd copy; \(mutate))
                $T -y 'cd live; \(mutate)' 2>err || { cat err; exit 1; }
                look live >is; look copy >should; diff should is
                if id=$(sed -n 's/.*rollback //p' err) && [ -n "$id" ]; then $T rollback $id 2>/dev/null; fi
                look live '%T@' >is; diff old is
                """
        ).run()
    }

    @Test("a device is refused, and nothing of that commit reaches live", arguments: befores.keys.sorted())
    func device(before: String) throws {
        let make = try #require(Self.befores[before])
        try TryTests.Row(
            "a device over \(before)",
            Self.picture
                + "mkdir live; cd live; \(make); cd ..; look live '%T@' >old; mkdir d; $T -N $D 'cd live; echo f >f'; rm -rf $D/upperdir$PWD/live/x; mknod $D/upperdir$PWD/live/x c 1 3; set +e; $T commit $D 2>err; test $? = 1 && grep -q device err && look live '%T@' >is && diff old is"
        ).run()
    }

    @Test("names of one inode are committed and taken back together, and refused one without the other")
    func hardLinks() throws {
        try TryTests.Row(
            "hard links",
            Self.picture + """
                mkdir live; cd live; echo both >x; ln x y; cd ..; look live '%T@' >old
                set +e; $T -y 'cd live; rm x; echo new >x' 2>err; test $? = 1 && grep -q 'hard links' err || exit 1; set -e
                look live '%T@' >is; diff old is
                cp -a live copy; (cd copy; echo new >x; chmod 600 x; ln x z)
                $T -y 'cd live; echo new >x; chmod 600 x; rm y; ln x y; ln x z' 2>err
                look live >is; look copy >should; diff should is
                $T rollback $(sed -n 's/.*rollback //p' err) 2>/dev/null; look live '%T@' >is; diff old is
                """
        ).run()
    }
}
