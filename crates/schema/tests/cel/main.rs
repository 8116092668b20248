//! Expressions: the language's own conformance data, tables per library, and the rules of real CRDs.

mod conformance;
mod generated;
mod holding;
mod hostile;
mod libraries;
mod rules;
mod textproto;
