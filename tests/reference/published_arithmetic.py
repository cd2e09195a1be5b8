"""The published case study recomputed in its own units (kHz, mW, kbit), independently of the package.

Written from the description of the arithmetic alone, so that an error in the package's physics, trees or rounds cannot
hide in both.
"""

import functools
import itertools
import math

import networkx as nx
import numpy as np

PAYLOAD_KBIT, CLOUD_S, CLOUD_MW, RADIO_MW = 48_000.0, 0.1 + 48_000 / 4_000, 800.0, 600.0


def _point(generator, centre, radius_m):
    while True:
        radius, angle = math.sqrt(generator.random()) * radius_m, generator.random() * 2 * math.pi
        x, y = centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)
        if 0 <= x <= 5000 and 0 <= y <= 5000:
            return x, y


def _latency_s(amplitudes, distance_m, width_khz, power_mw):
    gain = (amplitudes**2).sum() * 10 ** ((-30 - 30 * math.log10(distance_m)) / 10)
    return PAYLOAD_KBIT / (width_khz * math.log2(1 + gain * power_mw / (10**-17.4 * width_khz)))


@functools.cache
def network():
    """Return uplink latencies [10][4] and per cluster a dict of (distance m, latency s) by directed pair."""
    place, fade = np.random.default_rng(49), np.random.default_rng(49)
    servers = []
    while len(servers) < 10:
        point = place.uniform(0, 5000, size=2)
        if all(math.dist(point, other) >= 500 for other in servers):
            servers.append(point)
    clusters = []
    for server in servers:
        centre = _point(place, server, 1000)
        clusters.append([_point(place, centre, 500) for _ in range(4)])
    uplink = [
        [_latency_s(fade.standard_normal((1, 2)), math.dist(server, user), 1000, 1000) for user in users]
        for server, users in zip(servers, clusters, strict=True)
    ]
    for _ in clusters:
        fade.standard_normal((6, 2))
    d2d = []
    for users in clusters:
        pairs = {}
        for i, j in itertools.permutations(range(4), 2):
            distance = math.dist(users[i], users[j])
            pairs[i, j] = (distance, _latency_s(fade.standard_normal((1, 2)), distance, 8000, 200))
        d2d.append(pairs)
    return uplink, d2d


def star():
    """Return latency in s and energy in J per round."""
    return CLOUD_S, 40 * CLOUD_S * CLOUD_MW / 1000


def hierarchical(period, cloud_energy=True):
    """Return latency and energy of H-FedFM; edge only is period 200 with the cloud's energy left out."""
    uplink, _ = network()
    latency = max((CLOUD_S + period * max(cell)) / period for cell in uplink)
    cloud = CLOUD_S * CLOUD_MW if cloud_energy else 0.0
    return latency, sum((cloud + period * RADIO_MW * sum(cell)) / period for cell in uplink) / 1000


@functools.cache
def head_costs(cluster, head):
    """Return seconds up and down, and summed seconds of the paths up and the broadcast's edges."""
    pairs = network()[1][cluster]
    weight = {pair: latency for pair, (_, latency) in pairs.items()}
    either = nx.Graph()
    for i, j in itertools.combinations(range(4), 2):
        either.add_edge(i, j, weight=min(weight[i, j], weight[j, i]))
    spanning = nx.minimum_spanning_tree(either)
    graph = nx.DiGraph()
    for (i, j), (distance, latency) in pairs.items():
        if distance <= 30 or spanning.has_edge(i, j):
            graph.add_edge(i, j, weight=latency)
    others = [u for u in range(4) if u != head]
    up = [nx.shortest_path_length(graph, u, head, weight="weight") for u in others]
    paths = [nx.shortest_path(graph, head, u, weight="weight") for u in others]
    union = {edge for path in paths for edge in itertools.pairwise(path)}
    down = [nx.path_weight(graph, path, "weight") for path in paths]
    return max(up), max(down), sum(up), sum(weight[edge] for edge in union)


def relayed(heads, period, cloud_energy=True):
    """Return latency and energy of the D2D rows for given heads."""
    latencies, energies = [], []
    for cluster, (cell, head) in enumerate(zip(network()[0], heads, strict=True)):
        up_s, down_s, up_sum, down_sum = head_costs(cluster, head)
        mean_s = sum(cell) / 4
        latencies.append((CLOUD_S + (period - 1) * (up_s + down_s) + up_s + mean_s) / period)
        cloud = CLOUD_S * CLOUD_MW if cloud_energy else 0.0
        radio = (period - 1) * (up_sum + down_sum) + up_sum + mean_s
        energies.append((cloud + RADIO_MW * radio) / period)
    return max(latencies), sum(energies) / 1000
