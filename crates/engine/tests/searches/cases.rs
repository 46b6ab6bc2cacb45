//! Events, searches, and their rows.

/// Three events; the third lacks much.
pub(crate) const EVENTS: &str = r#"{"id":"1","t":1700000000,"user":{"name":"Ann"},"code":403,"ip":"10.1.2.3","site":"a","tags":["x","y"],"n":5,"path":"/A/ETC/passwd","text":"a=1, b=two","json":"{\"k\":{\"l\":[1,2]}}","requestReceivedTimestamp":"2023-11-14T22:13:20.000000Z","stageTimestamp":"2023-11-14T22:13:20.000000Z"}
{"id":"2","user":{"name":"bob"},"code":200,"ip":"192.0.2.9","site":"c","tags":["x"],"n":7,"path":"/b","requestReceivedTimestamp":"2023-11-14T22:14:20.500000Z","stageTimestamp":"2023-11-14T22:14:20.500000Z"}
{"id":"3","user":{"name":"ann"},"code":403,"tags":["z"],"n":"ten","empty":"","requestReceivedTimestamp":"2023-11-14T23:13:20.000000Z","stageTimestamp":"2023-11-14T23:13:20.000000Z"}
"#;

/// Measurements of two metrics.
pub(crate) const METRICS: &str = r#"{"time":1700000000,"event":"metric","index":"m","fields":{"metric_name:cpu.user":1,"metric_name:cpu.sys":10,"host":"h1"}}
{"time":1700000005,"event":"metric","index":"m","fields":{"metric_name:cpu.user":3,"metric_name:cpu.sys":30,"host":"h1"}}
{"_time":1700000015,"metric_name":"cpu.user","_value":7,"host":"h2"}
{"_time":1699990000,"metric_name":"cpu.user","_value":100,"host":"h1"}
"#;

pub(crate) const FILTERS: &[(&str, &str)] = &[
    ("user.name=ann | table id", r#"[{"id":"1"},{"id":"3"}]"#),
    ("user.name=a* code=403 OR code=200 | table id", r#"[{"id":"1"},{"id":"3"}]"#),
    ("NOT site=a | table id", r#"[{"id":"2"},{"id":"3"}]"#),
    ("site!=a | table id", r#"[{"id":"2"}]"#),
    ("tags{}=X | table id", r#"[{"id":"1"},{"id":"2"}]"#),
    ("NOT tags{}=x | table id", r#"[{"id":"3"}]"#),
    ("ip=10.0.0.0/8 | table id", r#"[{"id":"1"}]"#),
    ("code IN (200, 4*) site=* | table id", r#"[{"id":"1"},{"id":"2"}]"#),
    ("n>5 | table id", r#"[{"id":"2"},{"id":"3"}]"#),
    ("code=\"403\" | where user.name=\"x\" | table id", "[]"),
    ("id=* | where 'user.name'=\"ann\" | table id", r#"[{"id":"3"}]"#),
    ("id=* | where NOT site=\"a\" | table id", r#"[{"id":"2"}]"#),
    ("id=* | where n>5 AND code<300 OR id=\"1\" | table id", r#"[{"id":"1"},{"id":"2"}]"#),
    ("\"a=1, b=two\" | table id", r#"[{"id":"1"}]"#),
    ("id=* | regex user.name=\"^[ab]\" | table id", r#"[{"id":"2"},{"id":"3"}]"#),
    ("id=* | regex user.name!=\"^[ab]\" | table id", r#"[{"id":"1"}]"#),
    ("path=*/etc/* | table id", r#"[{"id":"1"}]"#),
    ("earliest=1700000060 latest=1700000100 | table id", r#"[{"id":"2"}]"#),
];

/// What `eval` makes of them with the first event.
pub(crate) const EXPRESSIONS: &[(&str, &str)] = &[
    ("if(code=403, \"y\", \"n\")", "\"y\""),
    ("if(absent=1, \"y\", \"n\")", "\"n\""),
    ("case(code=200, \"a\", code=403, \"b\")", "\"b\""),
    ("case(code=1, \"a\")", "null"),
    ("coalesce(absent, site)", "\"a\""),
    ("n + 1", "6"),
    ("n . \"x\"", "\"5x\""),
    ("site + \"x\"", "\"ax\""),
    ("n / 0", "null"),
    ("absent + 1", "null"),
    ("5 % 3", "2"),
    ("round(2.5)", "3"),
    ("round(2.345, 2)", "2.35"),
    ("len(site)", "1"),
    ("upper('user.name')", "\"ANN\""),
    ("replace(site, \"(a)\", \"\\1\\1\")", "\"aa\""),
    ("substr(\"hello\", 2, 3)", "\"ell\""),
    ("substr(\"hello\", -3)", "\"llo\""),
    ("split(\"a,b,c\", \",\")", r#"["a","b","c"]"#),
    ("mvcount(split(\"a,b,c\", \",\"))", "3"),
    ("mvcount(split(\"a`b`c\", \"`\"))", "3"),
    ("mvindex(split(\"a,b,c\", \",\"), -1)", "\"c\""),
    ("mvindex(split(\"a,b,c\", \",\"), 0, 1)", r#"["a","b"]"#),
    ("mvjoin('tags{}', \"-\")", "\"x-y\""),
    ("mvfind('tags{}', \"^y\")", "1"),
    ("mvfilter(match('tags{}', \"x\"))", "\"x\""),
    ("mvappend(\"a\", 'tags{}')", r#"["a","x","y"]"#),
    ("mvdedup(split(\"a,b,a\", \",\"))", r#"["a","b"]"#),
    ("mvzip(split(\"a,b\", \",\"), split(\"1,2\", \",\"))", r#"["a,1","b,2"]"#),
    ("if(like(\"abc\", \"a%\"), 1, 0)", "1"),
    ("if(\"abc\" LIKE \"_b_\", 1, 0)", "1"),
    ("if(cidrmatch(\"10.0.0.0/8\", ip), 1, 0)", "1"),
    ("if(site IN (\"a\", \"b\"), 1, 0)", "1"),
    ("strftime(t, \"%Y-%m-%d %H:%M\")", "\"2023-11-14 22:13\""),
    ("strptime(\"2023-11-14\", \"%Y-%m-%d\")", "1699920000"),
    ("relative_time(t, \"-1d@d\")", "1699833600"),
    ("tostring(1234567.5, \"commas\")", "\"1,234,567.50\""),
    ("tonumber(\"0A\", 16)", "10"),
    ("urldecode(\"a%20b\")", "\"a b\""),
    ("if(isnull(absent), 1, 0)", "1"),
    ("nullif(site, \"a\")", "null"),
    ("max(1, 3, 2)", "3"),
    ("pow(2, 10)", "1024"),
    ("trim(\"  a \")", "\"a\""),
    ("md5(\"a\")", "\"0cc175b9c0f1b6a831c399e269772661\""),
    ("json_extract(json, \"k.l{}\")", r#"["1","2"]"#),
    ("1 + 2 * 3", "7"),
    ("-n + 1", "-4"),
    ("(1 + 2) * 3", "9"),
];

pub(crate) const AGGREGATES: &[(&str, &str)] = &[
    ("id=* | stats count", r#"[{"count":3}]"#),
    ("id=none | stats count", r#"[{"count":0}]"#),
    ("id=none | stats count by id", "[]"),
    ("id=1 | stats values(site) as s(a),count by id", r#"[{"id":"1","s(a)":"a","count":1}]"#),
    ("| inputlookup places | stats count by gone", "[]"),
    ("| inputlookup places | stats values(gone) as v count by site gone", "[]"),
    ("id=* | stats count by site", r#"[{"site":"a","count":1},{"site":"c","count":1}]"#),
    ("id=* | stats count by tags{}", r#"[{"tags{}":"x","count":2},{"tags{}":"y","count":1},{"tags{}":"z","count":1}]"#),
    ("id=* | stats count(eval(code=403)) as c dc(code) as d", r#"[{"c":2,"d":2}]"#),
    ("id=* | stats sum(n) as s avg(n) as a", r#"[{"s":12,"a":6}]"#),
    ("id=* | stats min(n) max(n)", r#"[{"min(n)":"5","max(n)":"ten"}]"#),
    ("id=* | stats values(tags{}) as v list(code) as l", r#"[{"v":["x","y","z"],"l":["403","200","403"]}]"#),
    (
        "id=* | stats first(id) as f last(id) as l earliest(id) as e latest(id) as t",
        r#"[{"f":"3","l":"1","e":"1","t":"3"}]"#,
    ),
    ("id=* | stats count(site) as s range(id) as r", r#"[{"s":2,"r":2}]"#),
    (
        "id=* | stats stdev(id) as s median(id) as m mode(code) as o perc50(id) as p",
        r#"[{"s":1,"m":2,"o":"403","p":2}]"#,
    ),
    ("id=* | eval a.x=1, a.y=2 | stats sum(a.*) as s_*", r#"[{"s_x":3,"s_y":6}]"#),
    ("id=* | eventstats count as c by site | table id c", r#"[{"id":"1","c":1},{"id":"2","c":1},{"id":"3"}]"#),
    (
        "id=* | sort id | streamstats sum(id) as s | table id s",
        r#"[{"id":"1","s":1},{"id":"2","s":3},{"id":"3","s":6}]"#,
    ),
    (
        "id=* | sort id | streamstats current=f window=1 last(id) as before | table id before",
        r#"[{"id":"1"},{"id":"2","before":"1"},{"id":"3","before":"2"}]"#,
    ),
    (
        "id=* | chart count over code by site",
        r#"[{"code":"200","c":1,"NULL":0,"a":0},{"code":"403","a":1,"NULL":1,"c":0}]"#,
    ),
    ("id=* | chart count by code", r#"[{"code":"200","count":1},{"code":"403","count":2}]"#),
    ("id=* | timechart span=1h count | where count>0 | table count", r#"[{"count":2},{"count":1}]"#),
    ("id=* | top limit=1 code", r#"[{"code":"403","count":2,"percent":66.666667}]"#),
    ("id=* | rare limit=1 code showperc=f", r#"[{"code":"200","count":1}]"#),
];

pub(crate) const COMMANDS: &[(&str, &str)] = &[
    ("id=* | fillnull | table id site", r#"[{"id":"1","site":"a"},{"id":"2","site":"c"},{"id":"3","site":"0"}]"#),
    ("id=3 | fillnull | table id site", r#"[{"id":"3"}]"#),
    ("id=3 | fillnull value=none site | table id site", r#"[{"id":"3","site":"none"}]"#),
    ("id=1 | rename user.* as u_* | table u_name", r#"[{"u_name":"Ann"}]"#),
    ("id=1 | rename absent as site | table id site", r#"[{"id":"1"}]"#),
    ("id=1 | fields id, site | fields - site, _*", r#"[{"id":"1"}]"#),
    ("id=* | sort - n | head 1 | table id", r#"[{"id":"3"}]"#),
    ("id=* | sort 1 -num(id) | table id", r#"[{"id":"3"}]"#),
    ("id=* | sort id | tail 1 | table id", r#"[{"id":"3"}]"#),
    ("id=* | dedup code | table id", r#"[{"id":"3"},{"id":"2"}]"#),
    ("id=* | dedup site sortby id | table id", r#"[{"id":"1"},{"id":"2"}]"#),
    (
        "id=1 | rex field=path \"/(?<first>\\w+)/(?<second>\\w+)\" | table first second",
        r#"[{"first":"A","second":"ETC"}]"#,
    ),
    ("id=1 | rex field=text max_match=0 \"(?<w>[a-z]+)=\" | table w", r#"[{"w":["a","b"]}]"#),
    ("id=1 | rex field=path mode=sed \"s/ETC/etc/\" | table path", r#"[{"path":"/A/etc/passwd"}]"#),
    ("id=1 | bin span=1h t as h | table h", r#"[{"h":1699999200}]"#),
    ("id=* | bin span=10 code | stats count by code", r#"[{"code":"200-210","count":1},{"code":"400-410","count":2}]"#),
    ("id=1 | mvexpand tags{} | table tags{}", r#"[{"tags{}":"x"},{"tags{}":"y"}]"#),
    ("id=1 | makemv delim=\", \" text | table text", r#"[{"text":["a=1","b=two"]}]"#),
    ("id=1 | nomv tags{} | table tags{}", r#"[{"tags{}":"x\ny"}]"#),
    ("id=1 | convert timeformat=\"%H:%M:%S\" ctime(t) as at | table at", r#"[{"at":"22:13:20"}]"#),
    ("id=1 | spath input=json | table k.l{}", r#"[{"k.l{}":["1","2"]}]"#),
    ("id=1 | spath input=json path=k.l{} output=o | table o", r#"[{"o":["1","2"]}]"#),
    ("id=1 | iplocation ip | table Country City", r#"[{"Country":"","City":""}]"#),
    (
        "id=1 | eval a_x=1, a_y=2 | foreach a_* [eval s_<<MATCHSTR>>='<<FIELD>>' + 1] | table s_*",
        r#"[{"s_x":2,"s_y":3}]"#,
    ),
    ("id=1 | eval t1=10 | foreach t1 [eval <<FIELD>>=<<FIELD>>*2] | table t1", r#"[{"t1":20}]"#),
];

pub(crate) const NESTED: &[(&str, &str)] = &[
    ("id=* [search site=a | fields user.name] | table id", "[{\"id\":\"1\"},{\"id\":\"3\"}]"),
    ("id=* NOT [search site=a | fields id] | table id", "[{\"id\":\"2\"},{\"id\":\"3\"}]"),
    ("id=* [search site=none | fields id] | table id", "[]"),
    ("id=* | search [ | inputlookup places | fields site ] | table id", "[{\"id\":\"1\"}]"),
    ("id=1 | table id | append [search id=2 | table id]", r#"[{"id":"1"},{"id":"2"}]"#),
    (
        "id=* | stats count by code | appendpipe [stats sum(count) as count]",
        r#"[{"code":"200","count":1},{"code":"403","count":2},{"count":3}]"#,
    ),
    (
        "id=1 OR id=2 | table id site | join type=left site [inputlookup places | rename town as where]",
        r#"[{"id":"1","site":"a","where":"Aachen"},{"id":"2","site":"c"}]"#,
    ),
    ("id=* | table id site | join site [| inputlookup places]", r#"[{"id":"1","site":"a","town":"Aachen"}]"#),
];

pub(crate) const TABLES: &[(&str, &str)] = &[
    (
        "id=* | lookup places site OUTPUT town as t | table id t",
        r#"[{"id":"1","t":"Aachen"},{"id":"2","t":"nowhere"},{"id":"3"}]"#,
    ),
    ("id=1 | eval town=\"kept\" | lookup places site OUTPUTNEW town | table town", r#"[{"town":"kept"}]"#),
    (
        "id=* | lookup nets net as ip OUTPUT zone | table id zone",
        r#"[{"id":"1","zone":"inside"},{"id":"2","zone":"test"},{"id":"3"}]"#,
    ),
    ("id=1 OR id=2 | lookup globs path OUTPUT hit | table id hit", r#"[{"id":"1","hit":"yes"},{"id":"2","hit":"no"}]"#),
    ("| inputlookup places where site=b", r#"[{"site":"b","town":"Bern"}]"#),
    (
        "id=1 | table site | inputlookup append=t places | stats count by site",
        r#"[{"site":"a","count":2},{"site":"b","count":1}]"#,
    ),
    ("| makeresults | eval a=1 | fields a | fields - _time", r#"[{"a":1}]"#),
    (
        "| mstats avg(cpu.user) as u where index=m by host",
        r#"[{"host":"h1","u":34.666666666666664},{"host":"h2","u":7}]"#,
    ),
    (
        "| mstats avg(cpu.*) as cpu.* where index=m earliest=1700000000 latest=1700000010 by host span=10s | fields host cpu.* | fields - _time",
        r#"[{"host":"h1","cpu.user":2,"cpu.sys":20}]"#,
    ),
    ("| mstats count(cpu.user) as c where host=h2", r#"[{"c":1}]"#),
    ("| mstats max(_value) as m where metric_name=cpu.sys", r#"[{"m":30}]"#),
];

/// Searches that are refused, and a part of the reason.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("| tstats count from datamodel=Endpoint", "`tstats` is not supported"),
    ("id=1 | transaction id", "`transaction` is not supported"),
    ("id=1 | mstats avg(x)", "can stand first only"),
    ("| eval a=1", "needs rows"),
    ("id=1 OR [search id=2 | fields id]", "under OR or NOT"),
    ("id=1 | append [eval x=1]", "needs rows"),
    ("id=1 | append", "needs a search in brackets"),
    ("id=1 | foreach x [stats count]", "runs `eval` only"),
    ("id=1 | join type=cross id [search id=2]", "no join of type"),
    ("id=1 | inputlookup place", "did you mean `places`"),
    ("id=1 | streamstats window=2 count by id", "global=f"),
    ("id=1 | bin span=x _time", "no span"),
    ("id=1 | stats count by", "after `by`"),
];
