//! The functions of the language and of its libraries: names, overloads and signatures.
//!
//! The tables are texts, one overload a line: its name, a mark (`.` for calls on a target), the
//! types of its arguments and of its result. `A` to `D` are parameters. Names and order are
//! upstream's; costs and results depend on them.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use super::kind::Type;

/// One overload of a function.
#[derive(Debug)]
pub(super) struct Overload {
    /// Upstream's name of the overload.
    pub(super) id: &'static str,
    /// Called on a target, which is its first argument.
    pub(super) is_member: bool,
    pub(super) args: Vec<Type>,
    pub(super) result: Type,
    /// How many type parameters it has.
    pub(super) parameters: u32,
}

/// The functions of one environment.
#[derive(Debug)]
pub(super) struct Functions {
    by_name: HashMap<&'static str, Vec<Overload>>,
}

/// Which set of functions an expression is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// For new and changed expressions: what the previous minor version knows as well, so that a
    /// rollback is safe.
    New,
    /// For expressions that are stored: everything.
    Stored,
}

impl Functions {
    /// Returns the functions of a version.
    pub(super) fn of(version: Version) -> &'static Self {
        static NEW: LazyLock<Functions> = LazyLock::new(|| Functions::read(&TABLES));
        static STORED: LazyLock<Functions> =
            LazyLock::new(|| Functions::read(&[&TABLES[..], &[LISTS_1]].concat()));
        match version {
            Version::New => &NEW,
            Version::Stored => &STORED,
        }
    }

    /// Returns the overloads of a function.
    pub(super) fn find(&self, name: &str) -> Option<&[Overload]> {
        self.by_name.get(name).map(Vec::as_slice)
    }

    fn read(tables: &[&'static str]) -> Self {
        let mut by_name: HashMap<&'static str, Vec<Overload>> = HashMap::new();
        let lines = tables.iter().flat_map(|table| table.lines());
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let mut word = || words.next().expect("a line of the table has four words");
            let (name, id, args, result) = (word(), word(), word(), word());
            // A type in braces stands for one overload for each of the comparable types.
            if let Some(types) = templates(id) {
                for (short, full) in types {
                    let id = Box::leak(id.replace('*', short).into_boxed_str());
                    let args = args.replace('*', full);
                    let result = result.replace('*', full);
                    let overload = Overload::read(id, &args, &result);
                    by_name.entry(name).or_default().push(overload);
                }
                continue;
            }
            let overload = Overload::read(id, args, result);
            by_name.entry(name).or_default().push(overload);
        }
        Self { by_name }
    }
}

const COMPARABLE: [(&str, &str); 8] = [
    ("int", "int"),
    ("uint", "uint"),
    ("double", "double"),
    ("bool", "bool"),
    ("duration", "duration"),
    ("timestamp", "timestamp"),
    ("string", "string"),
    ("bytes", "bytes"),
];

/// Names of the overloads of `sort`, which upstream makes of the full names of types.
const SORTABLE: [(&str, &str); 8] = [
    ("int", "int"),
    ("uint", "uint"),
    ("double", "double"),
    ("bool", "bool"),
    ("google.protobuf.Duration", "duration"),
    ("google.protobuf.Timestamp", "timestamp"),
    ("string", "string"),
    ("bytes", "bytes"),
];

const SUMMABLE: [(&str, &str); 4] = [
    ("int", "int"),
    ("uint", "uint"),
    ("double", "double"),
    ("duration", "duration"),
];

fn templates(id: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match id {
        "list_*_sum_*" => Some(&SUMMABLE),
        "list_*_sort" | "list_*_sortByAssociatedKeys" => Some(&SORTABLE),
        _ => id.contains('*').then_some(&COMPARABLE),
    }
}

impl Overload {
    fn read(id: &'static str, args: &str, result: &str) -> Self {
        let mut parameters = 0;
        let (is_member, args) = match args.strip_prefix('.') {
            Some(args) => (true, args),
            None => (false, args),
        };
        let args = args.trim_start_matches('(').trim_end_matches(')');
        let mut rest = args.trim_end_matches(';');
        let mut types = Vec::new();
        while !rest.is_empty() {
            types.push(read_type(&mut rest, &mut parameters));
            rest = rest.trim_start_matches(';');
        }
        let result = read_type(&mut { result }, &mut parameters);
        Self {
            id,
            is_member,
            args: types,
            result,
            parameters,
        }
    }
}

/// Reads `map<string,list<A>>`; arguments are separated by `;`.
fn read_type(rest: &mut &str, parameters: &mut u32) -> Type {
    let end = rest.find(['<', '>', ',', ';']).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    *rest = after;
    let mut inner = Vec::new();
    if rest.starts_with('<') {
        while !rest.starts_with('>') {
            *rest = &rest[1..];
            inner.push(read_type(rest, parameters));
        }
        *rest = &rest[1..];
    }
    let mut inner = inner.into_iter();
    let mut part = || inner.next().expect("the tables give every parameter");
    match name {
        "dyn" => Type::Dyn,
        "null" => Type::Null,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "list" => Type::list(part()),
        "map" => {
            let key = part();
            Type::map(key, part())
        }
        "optional" => Type::optional(part()),
        "type" => Type::Type(Some(Arc::new(part()))),
        "net.IP" | "net.CIDR" => Type::opaque(name, Vec::new()),
        _ if name.len() == 1 => {
            let number = u32::from(name.as_bytes()[0] - b'A');
            *parameters = (*parameters).max(number + 1);
            Type::Param(number)
        }
        _ => Type::object(name),
    }
}

/// Everything but the list functions that differ between versions, in upstream's order.
const TABLES: [&str; 11] = [
    OPERATORS, CORE, TIMES, URLS_REGEX, LISTS, AUTHORIZER, OPTIONALS, QUANTITIES, STRINGS, NETWORK,
    OTHERS,
];

const OPERATORS: &str = "
_?_:_ conditional (bool;A;A) A
_&&_ logical_and (bool;bool) bool
_||_ logical_or (bool;bool) bool
!_ logical_not (bool) bool
@not_strictly_false not_strictly_false (bool) bool
_==_ equals (A;A) bool
_!=_ not_equals (A;A) bool
_+_ add_bytes (bytes;bytes) bytes
_+_ add_double (double;double) double
_+_ add_duration_duration (duration;duration) duration
_+_ add_duration_timestamp (duration;timestamp) timestamp
_+_ add_timestamp_duration (timestamp;duration) timestamp
_+_ add_int64 (int;int) int
_+_ add_list (list<A>;list<A>) list<A>
_+_ add_string (string;string) string
_+_ add_uint64 (uint;uint) uint
_/_ divide_double (double;double) double
_/_ divide_int64 (int;int) int
_/_ divide_uint64 (uint;uint) uint
_%_ modulo_int64 (int;int) int
_%_ modulo_uint64 (uint;uint) uint
_*_ multiply_double (double;double) double
_*_ multiply_int64 (int;int) int
_*_ multiply_uint64 (uint;uint) uint
-_ negate_double (double) double
-_ negate_int64 (int) int
_-_ subtract_double (double;double) double
_-_ subtract_duration_duration (duration;duration) duration
_-_ subtract_int64 (int;int) int
_-_ subtract_timestamp_duration (timestamp;duration) timestamp
_-_ subtract_timestamp_timestamp (timestamp;timestamp) duration
_-_ subtract_uint64 (uint;uint) uint
_<_ less_bool (bool;bool) bool
_<_ less_int64 (int;int) bool
_<_ less_int64_double (int;double) bool
_<_ less_int64_uint64 (int;uint) bool
_<_ less_uint64 (uint;uint) bool
_<_ less_uint64_double (uint;double) bool
_<_ less_uint64_int64 (uint;int) bool
_<_ less_double (double;double) bool
_<_ less_double_int64 (double;int) bool
_<_ less_double_uint64 (double;uint) bool
_<_ less_string (string;string) bool
_<_ less_bytes (bytes;bytes) bool
_<_ less_timestamp (timestamp;timestamp) bool
_<_ less_duration (duration;duration) bool
_<=_ less_equals_bool (bool;bool) bool
_<=_ less_equals_int64 (int;int) bool
_<=_ less_equals_int64_double (int;double) bool
_<=_ less_equals_int64_uint64 (int;uint) bool
_<=_ less_equals_uint64 (uint;uint) bool
_<=_ less_equals_uint64_double (uint;double) bool
_<=_ less_equals_uint64_int64 (uint;int) bool
_<=_ less_equals_double (double;double) bool
_<=_ less_equals_double_int64 (double;int) bool
_<=_ less_equals_double_uint64 (double;uint) bool
_<=_ less_equals_string (string;string) bool
_<=_ less_equals_bytes (bytes;bytes) bool
_<=_ less_equals_timestamp (timestamp;timestamp) bool
_<=_ less_equals_duration (duration;duration) bool
_>_ greater_bool (bool;bool) bool
_>_ greater_int64 (int;int) bool
_>_ greater_int64_double (int;double) bool
_>_ greater_int64_uint64 (int;uint) bool
_>_ greater_uint64 (uint;uint) bool
_>_ greater_uint64_double (uint;double) bool
_>_ greater_uint64_int64 (uint;int) bool
_>_ greater_double (double;double) bool
_>_ greater_double_int64 (double;int) bool
_>_ greater_double_uint64 (double;uint) bool
_>_ greater_string (string;string) bool
_>_ greater_bytes (bytes;bytes) bool
_>_ greater_timestamp (timestamp;timestamp) bool
_>_ greater_duration (duration;duration) bool
_>=_ greater_equals_bool (bool;bool) bool
_>=_ greater_equals_int64 (int;int) bool
_>=_ greater_equals_int64_double (int;double) bool
_>=_ greater_equals_int64_uint64 (int;uint) bool
_>=_ greater_equals_uint64 (uint;uint) bool
_>=_ greater_equals_uint64_double (uint;double) bool
_>=_ greater_equals_uint64_int64 (uint;int) bool
_>=_ greater_equals_double (double;double) bool
_>=_ greater_equals_double_int64 (double;int) bool
_>=_ greater_equals_double_uint64 (double;uint) bool
_>=_ greater_equals_string (string;string) bool
_>=_ greater_equals_bytes (bytes;bytes) bool
_>=_ greater_equals_timestamp (timestamp;timestamp) bool
_>=_ greater_equals_duration (duration;duration) bool
_[_] index_list (list<A>;int) A
_[_] index_map (map<A,B>;A) B
_[_] optional_list_index_int (optional<list<A>>;int) optional<A>
_[_] optional_map_index_value (optional<map<A,B>>;A) optional<B>
_?._ select_optional_field (dyn;string) optional<A>
_[?_] list_optindex_optional_int (list<A>;int) optional<A>
_[?_] optional_list_optindex_optional_int (optional<list<A>>;int) optional<A>
_[?_] map_optindex_optional_value (map<A,B>;A) optional<B>
_[?_] optional_map_optindex_optional_value (optional<map<A,B>>;A) optional<B>
@in in_list (A;list<A>) bool
@in in_map (A;map<A,B>) bool
cel.@mapInsert cel_@mapInsert_map_key_value (map<A,B>;A;B) map<A,B>
cel.@mapInsert cel_@mapInsert_map_map (map<A,B>;map<A,B>) map<A,B>
";

const CORE: &str = "
size size_bytes (bytes) int
size bytes_size .(bytes) int
size size_list (list<A>) int
size list_size .(list<A>) int
size size_map (map<A,B>) int
size map_size .(map<A,B>) int
size size_string (string) int
size string_size .(string) int
type type (A) type<A>
bool bool_to_bool (bool) bool
bool string_to_bool (string) bool
bytes bytes_to_bytes (bytes) bytes
bytes string_to_bytes (string) bytes
double double_to_double (double) double
double int64_to_double (int) double
double string_to_double (string) double
double uint64_to_double (uint) double
duration duration_to_duration (duration) duration
duration string_to_duration (string) duration
dyn to_dyn (A) dyn
int int64_to_int64 (int) int
int double_to_int64 (double) int
int duration_to_int64 (duration) int
int string_to_int64 (string) int
int timestamp_to_int64 (timestamp) int
int uint64_to_int64 (uint) int
string string_to_string (string) string
string bool_to_string (bool) string
string bytes_to_string (bytes) string
string double_to_string (double) string
string duration_to_string (duration) string
string int64_to_string (int) string
string timestamp_to_string (timestamp) string
string uint64_to_string (uint) string
timestamp timestamp_to_timestamp (timestamp) timestamp
timestamp int64_to_timestamp (int) timestamp
timestamp string_to_timestamp (string) timestamp
uint uint64_to_uint64 (uint) uint
uint double_to_uint64 (double) uint
uint int64_to_uint64 (int) uint
uint string_to_uint64 (string) uint
contains contains_string .(string;string) bool
endsWith ends_with_string .(string;string) bool
startsWith starts_with_string .(string;string) bool
matches matches (string;string) bool
matches matches_string .(string;string) bool
";

const TIMES: &str = "
getFullYear timestamp_to_year .(timestamp) int
getFullYear timestamp_to_year_with_tz .(timestamp;string) int
getMonth timestamp_to_month .(timestamp) int
getMonth timestamp_to_month_with_tz .(timestamp;string) int
getDayOfYear timestamp_to_day_of_year .(timestamp) int
getDayOfYear timestamp_to_day_of_year_with_tz .(timestamp;string) int
getDayOfMonth timestamp_to_day_of_month .(timestamp) int
getDayOfMonth timestamp_to_day_of_month_with_tz .(timestamp;string) int
getDate timestamp_to_day_of_month_1_based .(timestamp) int
getDate timestamp_to_day_of_month_1_based_with_tz .(timestamp;string) int
getDayOfWeek timestamp_to_day_of_week .(timestamp) int
getDayOfWeek timestamp_to_day_of_week_with_tz .(timestamp;string) int
getHours timestamp_to_hours .(timestamp) int
getHours timestamp_to_hours_with_tz .(timestamp;string) int
getHours duration_to_hours .(duration) int
getMinutes timestamp_to_minutes .(timestamp) int
getMinutes timestamp_to_minutes_with_tz .(timestamp;string) int
getMinutes duration_to_minutes .(duration) int
getSeconds timestamp_to_seconds .(timestamp) int
getSeconds timestamp_to_seconds_tz .(timestamp;string) int
getSeconds duration_to_seconds .(duration) int
getMilliseconds timestamp_to_milliseconds .(timestamp) int
getMilliseconds timestamp_to_milliseconds_with_tz .(timestamp;string) int
getMilliseconds duration_to_milliseconds .(duration) int
";

const URLS_REGEX: &str = "
url string_to_url (string) kubernetes.URL
getScheme url_get_scheme .(kubernetes.URL) string
getHost url_get_host .(kubernetes.URL) string
getHostname url_get_hostname .(kubernetes.URL) string
getPort url_get_port .(kubernetes.URL) string
getEscapedPath url_get_escaped_path .(kubernetes.URL) string
getQuery url_get_query .(kubernetes.URL) map<string,list<string>>
isURL is_url_string (string) bool
find string_find_string .(string;string) string
findAll string_find_all_string .(string;string) list<string>
findAll string_find_all_string_int .(string;string;int) list<string>
";

const LISTS: &str = "
isSorted list_*_is_sorted_bool .(list<*>) bool
sum list_*_sum_* .(list<*>) *
max list_*_max_* .(list<*>) *
min list_*_min_* .(list<*>) *
indexOf list_a_index_of_int .(list<A>;A) int
lastIndexOf list_a_last_index_of_int .(list<A>;A) int
slice list_slice .(list<A>;int;int) list<A>
flatten list_flatten .(list<list<A>>) list<A>
flatten list_flatten_int .(list<dyn>;int) list<dyn>
sort list_*_sort .(list<*>) list<*>
@sortByAssociatedKeys list_*_sortByAssociatedKeys .(list<A>;list<*>) list<A>
lists.range lists_range (int) list<int>
reverse list_reverse .(list<A>) list<A>
distinct list_distinct .(list<A>) list<A>
";

/// What the list library of the stored environment has besides.
const LISTS_1: &str = "
includes list_includes_dyn_dyn .(dyn;dyn) bool
";

const AUTHORIZER: &str = "
path authorizer_path .(kubernetes.authorization.Authorizer;string) kubernetes.authorization.PathCheck
group authorizer_group .(kubernetes.authorization.Authorizer;string) kubernetes.authorization.GroupCheck
serviceAccount authorizer_serviceaccount .(kubernetes.authorization.Authorizer;string;string) kubernetes.authorization.Authorizer
resource groupcheck_resource .(kubernetes.authorization.GroupCheck;string) kubernetes.authorization.ResourceCheck
subresource resourcecheck_subresource .(kubernetes.authorization.ResourceCheck;string) kubernetes.authorization.ResourceCheck
namespace resourcecheck_namespace .(kubernetes.authorization.ResourceCheck;string) kubernetes.authorization.ResourceCheck
name resourcecheck_name .(kubernetes.authorization.ResourceCheck;string) kubernetes.authorization.ResourceCheck
check pathcheck_check .(kubernetes.authorization.PathCheck;string) kubernetes.authorization.Decision
check resourcecheck_check .(kubernetes.authorization.ResourceCheck;string) kubernetes.authorization.Decision
errored decision_errored .(kubernetes.authorization.Decision) bool
error decision_error .(kubernetes.authorization.Decision) string
allowed decision_allowed .(kubernetes.authorization.Decision) bool
reason decision_reason .(kubernetes.authorization.Decision) string
fieldSelector authorizer_fieldselector .(kubernetes.authorization.ResourceCheck;string) kubernetes.authorization.ResourceCheck
labelSelector authorizer_labelselector .(kubernetes.authorization.ResourceCheck;string) kubernetes.authorization.ResourceCheck
";

const OPTIONALS: &str = "
optional.of optional_of (A) optional<A>
optional.ofNonZeroValue optional_ofNonZeroValue (A) optional<A>
optional.none optional_none () optional<A>
value optional_value .(optional<A>) A
hasValue optional_hasValue .(optional<A>) bool
or optional_or_optional .(optional<A>;optional<A>) optional<A>
orValue optional_orValue_value .(optional<A>;A) A
last list_last .(list<A>) optional<A>
first list_first .(list<A>) optional<A>
optional.unwrap optional_unwrap (list<optional<A>>) list<A>
unwrapOpt optional_unwrapOpt .(list<optional<A>>) list<A>
";

const QUANTITIES: &str = "
quantity string_to_quantity (string) kubernetes.Quantity
isQuantity is_quantity_string (string) bool
sign quantity_sign (kubernetes.Quantity) int
isGreaterThan quantity_is_greater_than .(kubernetes.Quantity;kubernetes.Quantity) bool
isLessThan quantity_is_less_than .(kubernetes.Quantity;kubernetes.Quantity) bool
compareTo quantity_compare_to .(kubernetes.Quantity;kubernetes.Quantity) int
asApproximateFloat quantity_get_float .(kubernetes.Quantity) double
asInteger quantity_get_int .(kubernetes.Quantity) int
isInteger quantity_is_integer .(kubernetes.Quantity) bool
add quantity_add .(kubernetes.Quantity;kubernetes.Quantity) kubernetes.Quantity
add quantity_add_int .(kubernetes.Quantity;int) kubernetes.Quantity
sub quantity_sub .(kubernetes.Quantity;kubernetes.Quantity) kubernetes.Quantity
sub quantity_sub_int .(kubernetes.Quantity;int) kubernetes.Quantity
";

const STRINGS: &str = "
charAt string_char_at_int .(string;int) string
indexOf string_index_of_string .(string;string) int
indexOf string_index_of_string_int .(string;string;int) int
lastIndexOf string_last_index_of_string .(string;string) int
lastIndexOf string_last_index_of_string_int .(string;string;int) int
lowerAscii string_lower_ascii .(string) string
replace string_replace_string_string .(string;string;string) string
replace string_replace_string_string_int .(string;string;string;int) string
split string_split_string .(string;string) list<string>
split string_split_string_int .(string;string;int) list<string>
substring string_substring_int .(string;int) string
substring string_substring_int_int .(string;int;int) string
trim string_trim .(string) string
upperAscii string_upper_ascii .(string) string
format string_format .(string;list<dyn>) string
strings.quote strings_quote (string) string
join list_join .(list<string>) string
join list_join_string .(list<string>;string) string
sets.contains list_sets_contains_list (list<A>;list<A>) bool
sets.equivalent list_sets_equivalent_list (list<A>;list<A>) bool
sets.intersects list_sets_intersects_list (list<A>;list<A>) bool
";

const NETWORK: &str = "
ip string_to_ip (string) net.IP
family ip_family .(net.IP) int
ip.isCanonical ip_is_canonical (string) bool
isUnspecified ip_is_unspecified .(net.IP) bool
isLoopback ip_is_loopback .(net.IP) bool
isLinkLocalMulticast ip_is_link_local_multicast .(net.IP) bool
isLinkLocalUnicast ip_is_link_local_unicast .(net.IP) bool
isGlobalUnicast ip_is_global_unicast .(net.IP) bool
isIP is_ip (string) bool
string ip_to_string (net.IP) string
cidr string_to_cidr (string) net.CIDR
containsIP cidr_contains_ip_string .(net.CIDR;string) bool
containsIP cidr_contains_ip_ip .(net.CIDR;net.IP) bool
containsCIDR cidr_contains_cidr_string .(net.CIDR;string) bool
containsCIDR cidr_contains_cidr .(net.CIDR;net.CIDR) bool
ip cidr_ip .(net.CIDR) net.IP
prefixLength cidr_prefix_length .(net.CIDR) int
masked cidr_masked .(net.CIDR) net.CIDR
isCIDR is_cidr (string) bool
string cidr_to_string (net.CIDR) string
";

const OTHERS: &str = "
validate format-validate .(kubernetes.NamedFormat;string) optional<list<string>>
format.named format-named (string) optional<kubernetes.NamedFormat>
format.dns1123Label format.dns1123Label () kubernetes.NamedFormat
format.dns1123Subdomain format.dns1123Subdomain () kubernetes.NamedFormat
format.dns1035Label format.dns1035Label () kubernetes.NamedFormat
format.qualifiedName format.qualifiedName () kubernetes.NamedFormat
format.dns1123LabelPrefix format.dns1123LabelPrefix () kubernetes.NamedFormat
format.dns1123SubdomainPrefix format.dns1123SubdomainPrefix () kubernetes.NamedFormat
format.dns1035LabelPrefix format.dns1035LabelPrefix () kubernetes.NamedFormat
format.labelValue format.labelValue () kubernetes.NamedFormat
format.uri format.uri () kubernetes.NamedFormat
format.uuid format.uuid () kubernetes.NamedFormat
format.byte format.byte () kubernetes.NamedFormat
format.date format.date () kubernetes.NamedFormat
format.datetime format.datetime () kubernetes.NamedFormat
semver string_to_semver (string) kubernetes.Semver
semver string_bool_to_semver (string;bool) kubernetes.Semver
isSemver is_semver_string (string) bool
isSemver is_semver_string_bool (string;bool) bool
isGreaterThan semver_is_greater_than .(kubernetes.Semver;kubernetes.Semver) bool
isLessThan semver_is_less_than .(kubernetes.Semver;kubernetes.Semver) bool
compareTo semver_compare_to .(kubernetes.Semver;kubernetes.Semver) int
major semver_major .(kubernetes.Semver) int
minor semver_minor .(kubernetes.Semver) int
patch semver_patch .(kubernetes.Semver) int
";
