//! Flow schemas and priority levels.
//!
//! Source: pkg/apis/flowcontrol/v1/defaults.go.

use super::{Given, Rule, Table};

pub(super) const TABLE: Table = &[
    (
        "flowcontrol.v1.FlowSchemaSpec",
        &[Rule::Set("matchingPrecedence", Given::Int(1000))],
    ),
    (
        "flowcontrol.v1.ExemptPriorityLevelConfiguration",
        &[
            Rule::Set("nominalConcurrencyShares", Given::Int(0)),
            Rule::Set("lendablePercent", Given::Int(0)),
        ],
    ),
    (
        "flowcontrol.v1.LimitedPriorityLevelConfiguration",
        &[
            Rule::Set("nominalConcurrencyShares", Given::Int(30)),
            Rule::Set("lendablePercent", Given::Int(0)),
        ],
    ),
    (
        "flowcontrol.v1.QueuingConfiguration",
        &[
            Rule::Set("handSize", Given::Int(8)),
            Rule::Set("queues", Given::Int(64)),
            Rule::Set("queueLengthLimit", Given::Int(50)),
        ],
    ),
];
