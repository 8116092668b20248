//! Times decisions with the full bootstrap roles: `cargo run --release -p access --example access_speed`.

#![allow(clippy::disallowed_methods, reason = "a stopwatch reads the clock")]

use std::{hint::black_box, time::Instant};

use access::{Allow, Attributes, Mode, User, bootstrap, world::Still};

const ROUNDS: u32 = 20_000;

fn main() {
    let world = Still::new();
    for object in bootstrap::objects() {
        let resource = bootstrap::resource_of(&object).expect("a kind of RBAC");
        world.put(resource, &object);
    }
    let allow = Allow::new(vec![Mode::Rbac]);
    let decide = |what: &str, user: &User, group: &str, resource: &str, expected: bool| {
        let attributes = Attributes::resource(user, "create", group, resource).within("n");
        let answer = allow.decide(&attributes, &world).is_allowed();
        assert_eq!(answer, expected, "{what}");
        time(what, || {
            drop(black_box(allow.decide(black_box(&attributes), &world)))
        });
    };
    let master = User::named("admin")
        .with_group("system:masters")
        .authenticated();
    decide("system:masters", &master, "", "pods", true);
    let controller = |name: &str| User::service_account("kube-system", name).authenticated();
    decide(
        "replicaset-controller",
        &controller("replicaset-controller"),
        "",
        "pods",
        true,
    );
    decide(
        "generic-garbage-collector, refused",
        &controller("generic-garbage-collector"),
        "",
        "pods",
        false,
    );
    let manager = User::named("system:kube-controller-manager").authenticated();
    decide(
        "kube-controller-manager",
        &manager,
        "",
        "serviceaccounts",
        true,
    );
    decide("nobody", &User::anonymous(), "", "pods", false);
}

/// Prints the best of ten averages; arguments choose what is timed.
fn time(what: &str, mut work: impl FnMut()) {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    if !chosen.is_empty() && !chosen.iter().any(|one| one == what) {
        return;
    }
    (0..ROUNDS / 10).for_each(|_| work());
    let best = (0..10).map(|_| {
        let begun = Instant::now();
        (0..ROUNDS / 10).for_each(|_| work());
        begun.elapsed() / (ROUNDS / 10)
    });
    println!("{what}: {:?}", best.min().unwrap_or_default());
}
