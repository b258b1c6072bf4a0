#!/usr/bin/env python3
"""Tries the bounds and the simulation of a cluster with costs that are made up. Takes a few seconds."""

import sys
import unittest
from dataclasses import replace

import model
import simulate
from model import Cluster, Cost

LIKE_NATS = {
    "caller": Cost(20e-6, 10e-6, 0.3e-9, 0.4e-9),
    "receivers": Cost(5e-6, 0, 0.2e-9, 0.4e-9),
    "broker": Cost(50e-6, 10e-6, 0.5e-9, 0.8e-9),
    "agent": Cost(40e-6, 10e-6, 0.3e-9, 0.3e-9),
    "slot": Cost(30e-6, 0, 0.3e-9, 0.3e-9),
}
FAR = Cluster(LIKE_NATS, 20, 16, 10e9 / 8, 50e-6)
# On what a key depends, with seconds and bytes of one.
CASES = {
    "slots": (FAR, 0.5, 8),
    "broker": (FAR, 0.01, 8),
    "caller's thread": (replace(FAR, costs={**LIKE_NATS, "caller": Cost(200e-6, 0, 0, 0)}), 0.01, 8),
    "agents": (replace(FAR, hosts=2, costs={**LIKE_NATS, "agent": Cost(1e-3, 0, 0, 0)}), 0.01, 8),
    "links of caller and broker": (replace(FAR, bandwidth=1e9 / 8), 0.1, 8_000_000),
    "links of hosts": (replace(FAR, hosts=1, bandwidth=1e9 / 8), 0.001, 100_000),
    "receivers": (replace(FAR, costs={**LIKE_NATS, "receivers": Cost(0.01, 0, 0, 0)}), 0.1, 8),
    "CPUs": (replace(FAR, hosts=3, slots=2, cpus=2, latency=0), 0.004, 8),
}


class Bounds(unittest.TestCase):
    def test_each_part_can_be_the_one_that_holds(self):
        for bound, (cluster, seconds, size) in CASES.items():
            rates = cluster.bounds(seconds, size)
            least = min(rates.values())
            # With one host its link is the others' too.
            self.assertIn(bound, [name for name, rate in rates.items() if rate == least], rates)

    def test_costs_are_told_apart(self):
        run = dict.fromkeys(model.PARTS, 100e-6)
        larger = {"held": 110e-6, "inline": 180e-6, "large": 8.11e-3}
        measured = {"tiny": run, **{name: dict.fromkeys(model.PARTS, seconds) for name, seconds in larger.items()}}
        for cost in model.costs(measured).values():
            self.assertAlmostEqual(cost.of(0.001, 0), 100e-6)
            self.assertAlmostEqual(cost.of(0.01, 0), 110e-6)
            self.assertAlmostEqual(cost.of(0.001, 80_000), 180e-6)
            self.assertAlmostEqual(cost.of(0.01, 8_000_000), 8.11e-3)

    def test_a_long_key_costs_more_messages(self):
        self.assertGreater(FAR.cost("broker", 60, 8), FAR.cost("broker", 1, 8))


@unittest.skipIf(simulate.simpy is None, "no simpy")
class Simulation(unittest.TestCase):
    def test_it_agrees_with_each_bound(self):
        for bound, (cluster, seconds, size) in CASES.items():
            rate, _ = cluster.rate(seconds, size)
            with self.subTest(bound=bound):
                self.assertLess(abs(simulate.steady(cluster, seconds, size) / rate - 1), simulate.AGREES)

    def test_every_key_is_done_once(self):
        self.assertEqual(len(simulate.simulated(FAR, 0.01, 80_000, 1_000)), 1_000)


if __name__ == "__main__":
    if simulate.simpy is None:
        print("bench/cluster/test_simulate.py: NOT SIMULATED: no simpy, which pip fetches", file=sys.stderr)
    unittest.main()
