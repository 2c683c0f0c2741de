//! Wrong texts: the column, and what the message says.

use flow::filter::{CONDITIONS_MAX, DEPTH_MAX, Filter, OCTETS_MAX};

#[test]
fn an_error_points_at_the_column_and_says_what_could_stand_there() {
    for (text, column, message) in [
        ("src", 4, "after 'src' I know: ip, net, port, as, mac"),
        ("src foo", 5, "after 'src' I know: ip, net, port, as, mac"),
        (
            "client tcp",
            8,
            "after 'client' I know: ip, net, port, as, mac, site",
        ),
        (
            "src or dst port 80",
            5,
            "after 'src' I know: ip, net, port, as, mac; for either side leave it away",
        ),
        (
            "src site berlin",
            5,
            "a site is the client's or the server's",
        ),
        ("foo 1", 1, "'foo' is not a condition; I know: app, site,"),
        ("protoo tcp", 1, "did you mean 'proto'?"),
        ("tcp and dts port 1", 9, "did you mean 'dst'?"),
        ("packest > 1", 1, "did you mean 'packets'?"),
        ("exporterr x", 1, "did you mean 'exporter'?"),
        ("tcp udp", 5, "'and' or 'or' is missing before 'udp'"),
        ("tcp and", 8, "a condition is missing before the end"),
        ("and tcp", 1, "a condition is missing before 'and'"),
        ("tcp or or udp", 8, "a condition is missing before 'or'"),
        ("()", 2, "a condition is missing before ')'"),
        ("(tcp", 5, "a ')' is missing"),
        ("(tcp udp)", 6, "'and', 'or' or ')' is missing before 'udp'"),
        ("tcp)", 4, "this ')' has no '('"),
        (
            "app",
            4,
            "the name of an application is missing after 'app', before the end",
        ),
        (
            "app and tcp",
            5,
            "the name of an application is missing after 'app', before 'and'",
        ),
        ("app \"\"", 5, "a name can't be empty"),
        ("app > x", 5, "after 'app' only = and != make sense"),
        ("app \"x", 5, "this quote is never closed"),
        (
            "tcp and \"x\"",
            9,
            "a name alone says nothing; write app \"x\"",
        ),
        ("Zürich", 1, "'Zürich' is not a condition"),
        (
            "app \"Zürich\" tcp",
            14,
            "'and' or 'or' is missing before 'tcp'",
        ),
        ("10.0.0.1", 1, "write ip 10.0.0.1"),
        (
            "port 80 or 443",
            12,
            "write port 443, and several as port in [80, 443]",
        ),
        ("ip 10.0.0", 4, "'10.0.0' is not an address"),
        ("ip 10.0.0.0/33", 4, "is not an address"),
        (
            "net 10.0.0.0 255.0.255.0",
            14,
            "'255.0.255.0' is not a network mask",
        ),
        (
            "ip and tcp",
            4,
            "an address such as 10.0.0.1 or 10.0.0.0/8 is missing after 'ip'",
        ),
        ("port 65536", 6, "a port is a number from 0 to 65535"),
        ("port https", 6, "'https' is not a port"),
        ("port > 1-2", 8, "'1-2' is not a port"),
        ("port in 80", 9, "a list is written in brackets"),
        ("port in []", 10, "a port is missing after '['"),
        ("port in [80", 12, "a ']' is missing"),
        ("port in [80,]", 13, "']' has no place in a list"),
        ("port in [9-1]", 10, "'9-1' runs backwards; write 1-9"),
        ("proto foo", 7, "'foo' is not a protocol"),
        ("proto 256", 7, "a number from 0 to 255"),
        ("flags XYZ", 7, "'XYZ' are no TCP flags"),
        ("flags SR/SA", 7, "must be among those after it"),
        ("mac 02:00", 5, "is not a MAC address"),
        ("as 4294967296", 4, "is not an AS number"),
        ("icmp type 256", 11, "is not an ICMP type or code"),
        ("octets > 1x", 10, "'1x' is not a number; write 1500, 10k"),
        ("octets > 0.0001k", 10, "is not a number"),
        ("octets > 18446744073709551616", 10, "is not a number"),
        ("duration > fast", 12, "a plain number is seconds"),
        ("tos 256", 5, "'256' is too large; tos is at most 255"),
        (
            "end reason never",
            12,
            "or one of idle, active, end, forced, resources",
        ),
        ("octets >", 9, "a number is missing after '>'"),
        ("next 10.0.0.1", 6, "after 'next' comes 'hop'"),
        ("in 3", 4, "after 'in' I know: if"),
        ("if 99999999999", 4, "too large for an ifIndex"),
        ("tcp & udp", 5, "write '&&' or 'and'"),
        ("tcp; udp", 4, "';' has no meaning here"),
    ] {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[test]
fn limits_are_errors_and_not_crashes() {
    let open = "(".repeat(OCTETS_MAX);
    assert_eq!(Filter::parse(&open).unwrap_err().column, DEPTH_MAX + 1);
    let beyond = Filter::parse(&"(".repeat(100_000)).unwrap_err();
    assert_eq!(
        beyond.to_string(),
        "column 1: too long: a filter has at most 16384 octets"
    );
    let nots = "not ".repeat(DEPTH_MAX + 1) + "tcp";
    assert!(
        Filter::parse(&nots)
            .unwrap_err()
            .message
            .contains("too deep")
    );
    assert!(Filter::parse(&("not ".repeat(DEPTH_MAX) + "tcp")).is_ok());
    let chain = |conditions: usize| vec!["tcp"; conditions].join(" or ");
    assert!(Filter::parse(&chain(CONDITIONS_MAX)).is_ok());
    let error = Filter::parse(&chain(CONDITIONS_MAX + 1)).unwrap_err();
    assert!(error.message.contains("at most 512 conditions"), "{error}");
}
