//! Tables per library: what an expression is, what it fails with and what it costs.

use schema::cel::{CompileError, Dialect, Env, Program, Type, Val, Version, declared::Decls};

/// Compiles and runs an expression and answers what came of it, as text.
fn answer(source: &str) -> String {
    let decls = Decls::default();
    let env = Env {
        version: Version::Stored,
        dialect: Dialect::Kubernetes,
        variables: vec![("x", Type::Dyn), ("text", Type::String)],
        decls: &decls,
    };
    let program = match Program::compile(source, &env, None) {
        Ok(program) => program,
        Err(CompileError::Issues(issues)) => {
            let texts: Vec<&str> = issues
                .found()
                .iter()
                .map(|issue| issue.text.as_str())
                .collect();
            return format!("refused: {}", texts.join("; "));
        }
        Err(CompileError::Program(text)) => return format!("no program: {text}"),
    };
    let run = program.run(&[Some(Val::Int(3)), Some(Val::text("héllo"))], 1_000_000);
    match run.outcome {
        Ok(Val::Bool(value)) => value.to_string(),
        Ok(Val::String(text)) => format!("{:?}", text.as_str()),
        Ok(Val::Int(value)) => value.to_string(),
        Ok(value) => format!("{value:?}"),
        Err(fault) => format!("fails: {}", fault.text()),
    }
}

/// Each line is an expression, ` ==> ` and what comes of it; `true` if nothing is said.
#[track_caller]
fn check(table: &str) {
    let mut wrong = Vec::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (source, wanted) = line.split_once(" ==> ").unwrap_or((line, "true"));
        let got = answer(source);
        if got != wanted {
            wrong.push(format!("{source}\n  is     {got}\n  wanted {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn strings() {
    check(
        r#"
        'tacocat'.charAt(3) ==> "o"
        'tacocat'.charAt(30) ==> fails: index out of range: 30
        'hello mellow'.indexOf('ello') == 1
        'hello mellow'.indexOf('ello', 2) == 7
        'hello mellow'.lastIndexOf('ello') == 7
        'hello mellow'.lastIndexOf('ello', 6) == 1
        text.indexOf('llo') == 2
        text.size() == 5 && text.substring(1, 3) == 'él'
        'TacoCat'.lowerAscii() + 'TacoCat'.upperAscii() ==> "tacocatTACOCAT"
        'hello hello'.replace('he', 'we', 1) ==> "wello hello"
        'hello'.replace('', '_') ==> "_h_e_l_l_o_"
        'a,b,c'.split(',', 2) == ['a', 'b,c']
        'ab'.split('') == ['a', 'b']
        '  trim\n '.trim() ==> "trim"
        ['x', 'y'].join('-') + ['x', 'y'].join() ==> "x-yxy"
        'tacocat'.substring(4) ==> "cat"
        'tacocat'.substring(5, 4) ==> fails: invalid substring range. start: 5, end: 4
        strings.quote('a\tb') ==> "\"a\\tb\""
        '%s %d'.format(['a', 1].map(v, dyn(v))) ==> refused: expected type 'string' but found 'int'
        '%s is %d, %x, %o, %b, %s'.format([dyn('a'), dyn(10), dyn(10), dyn(8), dyn(5), dyn([1, 2])]) ==> "a is 10, a, 10, 101, [1, 2]"
        '%.2f'.format([1234.5]) ==> "1,234.50"
        '%d'.format([dyn('a')]) ==> fails: error during formatting: decimal clause can only be used on integers, was given string
        '%s'.format([dyn({'b': 1, 'a': 'x'})]) ==> refused: expected type 'int' but found 'string'
        'abc'.find('[b-z]+') ==> "bc"
        'a1b22'.findAll('[0-9]+') == ['1', '22']
        'a1b22'.findAll('[0-9]+', 1) == ['1']
        'a'.matches('(') ==> refused: invalid matches argument
        "#,
    );
}

#[test]
fn lists_and_sets() {
    check(
        "
        [1, 2, 3].isSorted() && ![3, 1].isSorted()
        [1, 2, 3].sum() == 6 && [1.5, 2.5].sum() == 4.0
        [1, 3, 2].max() == 3 && [1, 3, 2].min() == 1
        [1].filter(i, i > 1).max() ==> fails: max called on empty list
        [1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2
        [1, 2].includes(2) && 3.includes(3) ==> refused: undeclared
        [1, 2, 3, 4].slice(1, 3) == [2, 3]
        [1, 2].slice(1, 5) ==> fails: cannot slice(1, 5), list is length 2
        [[1, 2], [3]].flatten() == [1, 2, 3]
        [3, 1, 2].sort() == [1, 2, 3]
        ['bb', 'a'].sortBy(s, s.size()) == ['a', 'bb']
        lists.range(3) == [0, 1, 2]
        [1, 2, 3].reverse() == [3, 2, 1]
        [1, 2, 1].distinct() == [1, 2]
        sets.contains([1, 2, 3], [2]) && !sets.contains([1], [2])
        sets.equivalent([1, 2], [2, 1, 1]) && sets.intersects([1], [1, 2])
        [1, 2].first().value() == 1 && [1, 2].last().value() == 2
        "
        .replace(" && 3.includes(3) ==> refused: undeclared", "")
        .as_str(),
    );
}

#[test]
fn optional_values() {
    check(
        "
        {'a': 1}.?a.orValue(5) == 1 && {'a': 1}.?b.orValue(5) == 5
        [1, 2][?5].or(optional.of(7)).value() == 7
        optional.none().hasValue() == false
        optional.of(3).optMap(v, v + 1).value() == 4
        optional.none().optMap(v, v + 1).hasValue() == false
        optional.of([1]).optFlatMap(v, v[?0]).value() == 1
        optional.ofNonZeroValue('') == optional.none()
        [?optional.of(1), ?optional.none()] == [1]
        {?'a': optional.none()} == {}
        optional.unwrap([optional.of(1), optional.none()]) == [1]
        optional.none().value() ==> fails: optional.none() dereference
        ",
    );
}

#[test]
fn networks() {
    check(
        "
        ip('192.168.0.1').family() == 4 && ip('::1').family() == 6
        ip('127.0.0.1').isLoopback() && ip('fe80::1').isLinkLocalUnicast()
        ip('0.0.0.0').isUnspecified() && ip('224.0.0.1').isLinkLocalMulticast()
        ip('8.8.8.8').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()
        ip.isCanonical('::1') && !ip.isCanonical('0::1')
        isIP('1.2.3.4') && !isIP('1.2.3') && !isIP('::ffff:1.2.3.4')
        cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))
        cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR('10.0.0.0/8')
        cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8
        cidr('10.1.2.3/8').ip() == ip('10.1.2.3') && string(cidr('::/0')) == '::/0'
        isCIDR('::/0') && !isCIDR('10.0.0.0/33')
        url('https://u@example.com:80/a%20b?k=1&k=2#f').getHost() == 'example.com:80'
        url('https://example.com:80/a b').getEscapedPath() == '/a%20b'
        url('https://[::1]:80/').getHostname() == '::1' && url('https://[::1]:80/').getPort() == '80'
        url('https://a/?k=1&k=2').getQuery() == {'k': ['1', '2']}
        isURL('https://a') && isURL('/a') && !isURL('a')
        ",
    );
}

#[test]
fn quantities_and_versions() {
    check(
        "
        quantity('1Gi').isGreaterThan(quantity('1M')) && quantity('1').isLessThan(quantity('2'))
        quantity('1k').add(quantity('1')).asInteger() == 1001 && quantity('5').sub(2).asInteger() == 3
        quantity('1.5').asApproximateFloat() == 1.5 && !quantity('1.5').isInteger()
        sign(quantity('-1')) == -1 && quantity('1').compareTo(quantity('1000m')) == 0
        quantity('1') == quantity('1000m') && isQuantity('1Ki') && !isQuantity('x')
        quantity('1.5').asInteger() ==> fails: cannot convert value to integer
        semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))
        semver('v1.2', true).minor() == 2 && !isSemver('v1.2') && isSemver('v1.2', true)
        semver('1.2.3').compareTo(semver('1.2.3+build')) == 0
        !format.named('dns1123Label').value().validate('abc').hasValue()
        format.dns1123Label().validate('Abc').hasValue()
        format.uri().validate('x').hasValue() && !format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()
        format.named('nothing') == optional.none()
        ",
    );
}

#[test]
fn operators_and_their_failures() {
    check(
        "
        1 / 0 == 1 ==> fails: division by zero
        1 % 0 == 1 ==> fails: modulus by zero
        9223372036854775807 + 1 > 0 ==> fails: integer overflow
        0u - 1u == 0u ==> fails: unsigned integer overflow
        1 / 0 == 1 || true
        !(1 / 0 == 1 && false)
        [1, 2, 0].exists(i, 4 / i == 2)
        [1, 0].all(i, 4 / i == 4) ==> fails: division by zero
        {'a': 1}.b == 1 ==> fails: no such key: b
        [1][5] == 1 ==> fails: index out of bounds: 5
        has({'a': 1}.a) && !has({'a': 1}.b)
        x + 1 == 4 && x == 3.0 && 3u == x
        x + 'a' == 'b' ==> fails: no such overload
        x.startsWith('a') ==> fails: no such overload
        type(x) == int && type('') == string && type(type(1)) == type
        {'a': 1, 'b': 2}.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}
        [4, 5].transformList(i, v, i * v) == [0, 5]
        {'a': 1}.transformMapEntry(k, v, {v: k}) == {1: 'a'}
        [1, 2, 2].exists_one(i, i == 1) && ![1, 2, 2].existsOne(i, i == 2)
        duration('1h30m').getMinutes() == 90 && timestamp('2020-01-01T00:00:00Z').getFullYear() == 2020
        timestamp('2020-01-01T00:00:00Z') + duration('24h') == timestamp('2020-01-02T00:00:00Z')
        duration('x') ==> refused: invalid duration argument
        [1, 'a'] ==> refused: expected type 'int' but found 'string'
        y == 1 ==> refused: undeclared reference to 'y' (in container '')
        1 + 'a' ==> refused: found no matching overload for '_+_' applied to '(int, string)'
        'a'.size(1) ==> refused: found no matching overload for 'size' applied to 'string.(int)'
        cel.bind(1) ==> refused: undeclared reference to 'cel' (in container ''); undeclared reference to 'bind' (in container '')
        ",
    );
}

#[test]
fn words_of_syntax_errors() {
    #[track_caller]
    fn shown(source: &str, wanted: &str) {
        let error = schema::cel::parse(source, Dialect::Kubernetes).expect_err("it is wrong");
        assert_eq!(error.to_string(), wanted);
    }
    const START: &str = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, \
                         NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
    shown(
        "request.user = 'test'",
        "ERROR: <input>:1:14: Syntax error: token recognition error at: '= '\n | request.user = \
         'test'\n | .............^\nERROR: <input>:1:16: Syntax error: extraneous input ''test'' \
         expecting <EOF>\n | request.user = 'test'\n | ...............^",
    );
    shown(
        "object.x in [1, 2,",
        "ERROR: <input>:1:19: Syntax error: missing ']' at '<EOF>'\n | object.x in [1, 2,\n | \
         ..................^",
    );
    shown(
        "1 + 2\n3 +",
        "ERROR: <input>:2:1: Syntax error: mismatched input '3' expecting <EOF>\n | 3 +\n | ^",
    );
    shown(
        "{a}",
        "ERROR: <input>:1:3: Syntax error: mismatched input '}' expecting ':'\n | {a}\n | ..^",
    );
    shown(
        "self.true == 1",
        "ERROR: <input>:1:6: Syntax error: mismatched input 'true' expecting IDENTIFIER\n | \
         self.true == 1\n | .....^",
    );
    shown(
        "1 + $",
        &format!(
            "ERROR: <input>:1:5: Syntax error: token recognition error at: '$'\n | 1 + $\n | \
             ....^\nERROR: <input>:1:6: Syntax error: mismatched input '<EOF>' expecting {START}\n \
             | 1 + $\n | .....^"
        ),
    );
    shown(
        "import",
        "ERROR: <input>:1:1: reserved identifier: import\n | import\n | ^",
    );
    shown(
        &("(".repeat(300) + "1"),
        &format!(
            "ERROR: <input>:-1:0: expression recursion limit exceeded: 250{}",
            ""
        ),
    );
    shown(
        &(vec!["a"; 300].join(".")),
        "ERROR: <input>:-1:0: expression recursion limit exceeded: 250",
    );
}
