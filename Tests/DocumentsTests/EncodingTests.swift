import Documents
import FoundationEssentials
import Testing

@Suite("Digests, encodings, units and times")
struct EncodingTests {
    @Test(
        "SHA-256 of FIPS 180-4's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func digests(text: String, hex: String) {
        #expect(Digest(of: Data(text.utf8)).hex == hex)
        #expect(Digest(hex: hex)?.hex == hex)
        var stream = StreamingDigest()
        for byte in text.utf8 { stream.update(Data([byte])) }
        #expect(stream.finish().hex == hex)
    }

    @Test("a digest has one spelling")
    func digestSpelling() {
        let hex = Digest(of: Data()).hex
        #expect(Digest(hex: hex.uppercased()) == nil)
        #expect(Digest(hex: String(hex.dropLast())) == nil)
        #expect(Digest(hex: hex + "00") == nil)
        #expect(Digest(hex: String(repeating: "g", count: 64)) == nil)
        #expect(Digest(bytes: Data(count: 31)) == nil)
        #expect(Digest(bytes: Data(count: 32))?.hex == String(repeating: "0", count: 64))
    }

    @Test(
        "base64url of RFC 4648's examples, without padding",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ])
    func base64URL(text: String, encoded: String) {
        #expect(Data(text.utf8).base64URL == encoded)
        #expect(Data(base64URL: encoded) == Data(text.utf8))
    }

    @Test(
        "base64url takes no other alphabet, no padding, no white space and no stray bits",
        arguments: [
            "+/8", "Zg==", "Zg=", "Z g", "Z", "Zg\n", "Zh", "_-9",
        ])
    func base64URLRefusals(text: String) {
        #expect(Data(base64URL: text) == nil, "\(text) has another spelling of the same bytes, or none")
    }

    @Test("every byte string survives hexadecimal and base64url")
    func encodings() {
        var random = SeededGenerator(seed: 64)
        for count in 0..<200 {
            let data = Data((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
            #expect(Data(hexadecimal: data.hexadecimal) == data, "seed 64, \(count) bytes")
            #expect(Data(base64URL: data.base64URL) == data, "seed 64, \(count) bytes")
        }
        #expect(Data(hexadecimal: "0") == nil)
        #expect(Data(hexadecimal: "0x") == nil)
        #expect(Data(hexadecimal: "AbCd") == Data([0xab, 0xcd]))
    }

    @Test(
        "sizes have decimal and binary units",
        arguments: [
            ("100", 100), ("1k", 1000), ("1M", 1_000_000), ("4G", 4_000_000_000), ("1Ki", 1024), ("512Mi", 536_870_912),
            ("1.5Gi", 1_610_612_736),
            ("0", 0), ("8Ti", 8_796_093_022_208),
        ] as [(String, Int64)])
    func sizes(text: String, bytes: Int64) {
        #expect(ByteSize(text)?.bytes == bytes)
    }

    @Test(
        "what is no size is none",
        arguments: ["", "Mi", "-1", "1 Mi", "1e3", "1m", "9999999999G", "1.2.3k", "+1", "nan", "inf", "0x10"])
    func noSizes(text: String) {
        #expect(ByteSize(text) == nil)
    }

    @Test(
        "times need a unit",
        arguments: [("250ms", 0.25), ("10s", 10), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1.5s", 1.5), ("0s", 0)])
    func spans(text: String, seconds: Double) {
        #expect(Span(text)?.seconds == seconds)
    }

    @Test("what is no time is none", arguments: ["", "10", "s", "-1s", "1 s", "1M", "1e3s", "99999999999999h"])
    func noSpans(text: String) {
        #expect(Span(text) == nil)
    }

    @Test("a time is shown as it can be written")
    func spanDescriptions() {
        for text in ["250ms", "10s", "30m", "2h", "1.5s", "90s"] {
            #expect(Span(text).flatMap { Span($0.description) } == Span(text), "\(text)")
        }
        #expect(Span("0s").flatMap { Span($0.description) } == Span("0s"))
    }

    @Test(
        "shares are written in per cent, percentage points or as fractions",
        arguments: [
            ("10%", 0.10, false), ("0.5pp", 0.005, true), ("0.1", 0.1, false), ("100%", 1, false), ("0%", 0, false),
        ])
    func ratios(text: String, fraction: Double, points: Bool) throws {
        let ratio = try #require(Ratio(text))
        #expect(abs(ratio.fraction - fraction) < 1e-15)
        #expect(ratio.isPercentagePoints == points)
    }

    @Test("10% is the double nearest to a tenth, so that digests don't depend on how it was written")
    func ratioExactness() {
        for (text, value) in [
            ("10%", 0.1), ("0.5pp", 0.005), ("5%", 0.05), ("95%", 0.95), ("7%", 0.07), ("0.1%", 0.001),
            ("99.9%", 0.999),
        ] {
            #expect(Ratio(text)?.fraction == value, "\(text)")
        }
    }

    @Test("what is no share is none", arguments: ["", "%", "-1%", "10 %", "1e1%", "ten", "5p"])
    func noRatios(text: String) {
        #expect(Ratio(text) == nil)
    }

    @Test("times are RFC 3339 in UTC with milliseconds")
    func timestamps() {
        let date = Date(timeIntervalSince1970: 1_763_928_724.1254)
        #expect(Timestamp.text(date) == "2025-11-23T20:12:04.125Z")
        #expect(Timestamp.parse("2025-11-23T20:12:04.125Z") == Date(timeIntervalSince1970: 1_763_928_724.125))
        #expect(Timestamp.parse("2025-11-23T20:12:04Z") == Date(timeIntervalSince1970: 1_763_928_724))
        for text in ["", "2025-11-23", "yesterday", "2025-13-01T00:00:00Z", "2025-11-23T20:12:04"] {
            #expect(Timestamp.parse(text) == nil, "\(text)")
        }
    }

    @Test("a rounded time is the same after its text, at every millisecond")
    func timestampRoundTrip() {
        var random = SeededGenerator(seed: 3339)
        for _ in 0..<2000 {
            let date = Timestamp.rounded(Date(timeIntervalSince1970: Double.random(in: 0...4e9, using: &random)))
            #expect(Timestamp.parse(Timestamp.text(date)) == date, "seed 3339: \(date.timeIntervalSince1970)")
        }
    }
}
