"""Real positions become a scenario; faulty files are answered with every fault, its place and its repair."""

import collections
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from hffm_opt.errors import InputError
from hffm_opt.problem import build_problem
from hffm_opt.scenario.card import shipped_card
from hffm_opt.scenario.check import check_scenario
from hffm_opt.scenario.eua import SAMPLES_PER_DEVICE, import_eua, spread_samples
from hffm_opt.scenario.eua_files import read_places
from hffm_opt.scenario.read import load_scenario
from hffm_opt.serial import dump_yaml

DATA = Path(__file__).parents[1] / "data" / "eua"
SITES, USERS = DATA / "sites.csv", DATA / "users.csv"


def findings_of(tmp_path, sites=None, users=None):
    """Return (place without the folder, message, repair) of the faults of two files given as text or bytes."""
    paths = []
    for name, content in (("sites.csv", sites), ("users.csv", users)):
        path = DATA / name
        if content is not None:
            path = tmp_path / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    with pytest.raises(InputError) as caught:
        import_eua(*paths)
    assert all(finding.repair for finding in caught.value.findings)
    return [(f.path.replace(f"{tmp_path}/", ""), f.message, f.repair) for f in caught.value.findings]


@pytest.fixture(scope="module")
def scenario():
    told = []
    made = import_eua(SITES, USERS, name="ghent", progress=told.append)
    assert [(step.done, step.total) for step in told] == [(0, 3), (1, 3), (2, 3)]
    return made


class TestScenario:
    def test_sites_and_users(self, scenario):
        assert scenario.name == "ghent"
        assert [e.name for e in scenario.edges] == ["site-1001", "site-1002", "site-1003", "site-B-4", "site-1005"]
        assert [d.name for d in scenario.devices] == [f"user-{i}" for i in range(1, 19)]

    def test_distances_are_those_on_the_ground(self, scenario):
        # Belfort to Zuid: 3.6 thousandths of a degree north, 5.3 east, at 51.05 degrees.
        first, second = scenario.edges[:2]
        north_m, east_m = 0.0036 * 111_251, 0.0053 * 70_122
        assert first.y_m - second.y_m == pytest.approx(north_m, rel=1e-3)
        assert first.x_m - second.x_m == pytest.approx(east_m, rel=1e-3)

    def test_everyone_is_served_by_the_nearest(self, scenario):
        for device in scenario.devices:
            reach = {e.name: math.hypot(e.x_m - device.x_m, e.y_m - device.y_m) for e in scenario.edges}
            assert device.edge == min(reach, key=reach.get)

    def test_sites_without_users_stay_and_have_no_cell(self, scenario):
        served = {device.edge for device in scenario.devices}
        assert len(served) < len(scenario.edges)
        assert {cell.edge.name for cell in build_problem(scenario).cells} == served

    def test_it_is_sound_and_survives_its_file(self, scenario, tmp_path):
        assert check_scenario(scenario) == ()
        path = tmp_path / "s.yaml"
        path.write_text(dump_yaml(scenario), encoding="utf-8")
        assert load_scenario(path) == scenario

    def test_model_and_physics(self, scenario):
        assert scenario.modules == shipped_card("vilt-small").modules
        assert scenario.physics.profile == "si"
        assert scenario.physics.fading == "rayleigh"
        assert scenario.physics.path_loss.law == "umi-nlos"
        assert scenario.physics.allocation == "optimised"
        assert {scenario.physics.uplink_sharing, scenario.physics.d2d_sharing} == {"shared"}
        law = scenario.physics.path_loss
        assert (law.carrier_hz, law.edge_height_m, law.device_height_m) == (3.5e9, 10.0, 1.5)
        assert scenario.physics.noise_dbm_per_hz == -174.0 + 5.0
        assert scenario.edges[0].downlink_power_w == pytest.approx(10**0.3, rel=1e-12)
        assert all(device.uplink_power_w == pytest.approx(10**-0.7, rel=1e-12) for device in scenario.devices)

    def test_the_same_files_give_the_same_scenario(self, scenario):
        assert import_eua(SITES, USERS, name="ghent") == scenario

    def test_another_seed_gives_other_data_at_the_same_places(self, scenario):
        other = import_eua(SITES, USERS, name="ghent", seed=1)
        assert [d.samples for d in other.devices] != [d.samples for d in scenario.devices]
        assert [(d.x_m, d.y_m, d.edge) for d in other.devices] == [(d.x_m, d.y_m, d.edge) for d in scenario.devices]


class TestAssociation:
    def test_capacity_aware_spreads_users(self):
        # ceil(1.25 * 18 / 5) = 5 users an edge.
        counts = collections.Counter(d.edge for d in import_eua(SITES, USERS, association="capacity-aware").devices)
        assert max(counts.values()) <= 5
        nearest = collections.Counter(d.edge for d in import_eua(SITES, USERS).devices)
        assert max(nearest.values()) > 5

    def test_a_limit_of_ones_own(self):
        scenario = import_eua(SITES, USERS, association="capacity-aware", max_users_per_edge=4)
        assert max(collections.Counter(d.edge for d in scenario.devices).values()) == 4

    @pytest.mark.parametrize(
        ("arguments", "path", "message"),
        [
            ({"association": "best"}, "association", "'best' is not known"),
            ({"max_users_per_edge": 3}, "max_users_per_edge", "'nearest' knows no limit"),
            ({"association": "capacity-aware", "max_users_per_edge": 3}, "max_users_per_edge", "cannot serve 18 users"),
            ({"association": "capacity-aware", "max_users_per_edge": 0}, "max_users_per_edge", "0 is below 1"),
            ({"max_devices": 0}, "max_devices", "0 is below 1"),
        ],
    )
    def test_arguments(self, arguments, path, message):
        with pytest.raises(InputError) as caught:
            import_eua(SITES, USERS, **arguments)
        (finding,) = caught.value.findings
        assert finding.path == path
        assert message in finding.message


class TestFewerDevices:
    def test_a_seeded_part_in_the_order_of_the_file(self):
        names = [d.name for d in import_eua(SITES, USERS, max_devices=7).devices]
        assert len(names) == 7
        numbers = [int(name.removeprefix("user-")) for name in names]
        assert numbers == sorted(numbers)
        assert names == [d.name for d in import_eua(SITES, USERS, max_devices=7).devices]
        assert names != [d.name for d in import_eua(SITES, USERS, max_devices=7, seed=1).devices]

    def test_a_kept_user_keeps_its_data(self):
        everyone = {d.name: d.samples for d in import_eua(SITES, USERS).devices}
        assert all(d.samples == everyone[d.name] for d in import_eua(SITES, USERS, max_devices=7).devices)

    def test_more_than_there_are_means_all(self):
        assert len(import_eua(SITES, USERS, max_devices=99).devices) == 18

    @pytest.mark.parametrize("seed", range(5))
    def test_a_single_device_owns_every_task(self, seed):
        (device,) = import_eua(SITES, USERS, max_devices=1, seed=seed).devices
        assert min(device.samples.values()) > 0


def test_samples_spread_unevenly():
    held = spread_samples([str(i) for i in range(500)], seed=0)
    owned = collections.Counter(tuple(count > 0 for count in samples.values()) for samples in held)
    # Dirichlet(0.5, 0.5), shares below 8 of 48 dropped: about a quarter own one task, a quarter the other.
    assert all(90 < owned[tasks] < 170 for tasks in ((True, False), (False, True)))
    assert owned[True, True] > 150
    assert all(sum(samples.values()) == SAMPLES_PER_DEVICE for samples in held)
    assert all(count == 0 or count >= 8 for samples in held for count in samples.values())
    assert np.mean([samples["digits"] for samples in held]) == pytest.approx(24, abs=3)


class TestQuirks:
    """Files as spreadsheets and web portals write them."""

    PLAIN = read_places(SITES, USERS)

    @staticmethod
    def positions(places):
        return [(p.name, p.latitude_deg, p.longitude_deg) for p in places]

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: "\ufeff" + text,
            lambda text: text.replace("\n", "\r\n"),
            lambda text: "\ufeff" + text.replace("\n", "\r\n"),
            lambda text: text.rstrip("\n"),
            lambda text: text.replace("\n", "\n\n"),
            lambda text: text + " , \n" if "SITE" not in text else text + ",,,,,\n",
            lambda text: text.replace("LATITUDE", " latitude ").replace("Latitude", "LATITUDE"),
            lambda text: text.replace(",3.", ", 3."),
            lambda text: text.replace("51.", "+51.").replace(",3.7", ",03.7"),
        ],
    )
    def test_they_read_alike(self, tmp_path, change):
        for source in (SITES, USERS):
            text = source.read_text(encoding="utf-8")
            (tmp_path / source.name).write_bytes(change(text).encode())
        sites, users = read_places(tmp_path / "sites.csv", tmp_path / "users.csv")
        assert self.positions(sites) == self.positions(self.PLAIN[0])
        assert self.positions(users) == self.positions(self.PLAIN[1])

    def test_columns_in_any_order_with_commas_and_line_breaks_in_quotes(self, tmp_path):
        path = tmp_path / "sites.csv"
        path.write_text('NAME,LONGITUDE,X,SITE_ID,LATITUDE\n"a, ""b""\nc",3.7,,s1,51.0\n"d",3.8,,s2,51.1\n')
        sites, _ = read_places(path, USERS)
        assert self.positions(sites) == [("s1", 51.0, 3.7), ("s2", 51.1, 3.8)]
        # The first row spans the lines 2 and 3.
        assert [site.where for site in sites] == [f"{path}, line 2", f"{path}, line 4"]


class TestFaults:
    HEADER = "SITE_ID,LATITUDE,LONGITUDE\n"

    @pytest.mark.parametrize(
        ("cell", "message", "repair"),
        [
            ("", "there is no value", "give decimal degrees, -90 to 90"),
            ("north", "'north' is not a number", "with a point, e.g. -37.8136"),
            ("51°03'", "is not a number", "decimal degrees"),
            ('"51,05"', "'51,05' is not a number", "with a point"),
            ("1_0", "'1_0' is not a number", "decimal degrees"),
            ("nan", "nan is not a finite number", "give the position, or remove the row"),
            ("-INF", "-INF is not a finite number", "remove the row"),
            ("91", "91 is outside -90 to 90 degrees", "are latitude and longitude swapped?"),
            ("-144.9", "-144.9 is outside -90 to 90", "swapped?"),
            ("1e3", "1e3 is outside -90 to 90", "mend the value"),
            ("1e999", "1e999 is outside", "mend the value"),
        ],
    )
    def test_bad_cells(self, tmp_path, cell, message, repair):
        found = findings_of(tmp_path, users=f"Latitude,Longitude\n51.05,3.72\n{cell},3.72\n")
        assert len(found) == 1
        assert found[0][0] == "users.csv, line 3, column Latitude"
        assert message in found[0][1]
        assert repair in found[0][2]

    def test_longitude_has_its_own_range(self, tmp_path):
        found = findings_of(tmp_path, users="Latitude,Longitude\n51.05,180.5\n")
        assert found[0][:2] == ("users.csv, line 2, column Longitude", "180.5 is outside -180 to 180 degrees")

    @pytest.mark.parametrize(
        ("sites", "place", "message", "repair"),
        [
            ("", "sites.csv", "the file is empty", "give a header with SITE_ID, LATITUDE, LONGITUDE"),
            ("\n \n", "sites.csv", "the file is empty", "give a header"),
            (HEADER, "sites.csv", "there is no row below the header", "give at least one of the sites"),
            (HEADER + ",,\n\n", "sites.csv", "there is no row below the header", "give at least one"),
            ("SITE_ID,LATITUDE\n1,51\n", "sites.csv, line 1, column LONGITUDE", "no such column", "SITE_ID, LATITUDE"),
            (
                "SITE_ID,LATITUDE,LONGITUDE,latitude\n1,51,3,51\n",
                "sites.csv, line 1, column LATITUDE",
                "names this column twice",
                "keep one",
            ),
            (b"PK\x03\x04\xff\xfe\x00", "sites.csv", "not a text file", "give a sites CSV in UTF-8"),
            (b"SITE_ID\x00,x", "sites.csv", "it holds a zero byte", "as CSV text"),
            (
                HEADER + '1,51,"3.7\n2,51,3.8\n',
                "sites.csv, line 2",
                "not valid CSV: unexpected end of data",
                "close every double quote",
            ),
            (HEADER + "1,51.0,3.7\n1,51.1,3.8\n", "sites.csv, line 3, column SITE_ID", "on line 2 already", "keep one"),
            (HEADER + "a b,51.0,3.7\n", "sites.csv, line 2, column SITE_ID", "'a b' is no site id", "letters, digits"),
            (HEADER + ",51.0,3.7\n", "sites.csv, line 2, column SITE_ID", "'' is no site id", "letters, digits"),
            (HEADER + "1,51.0\n", "sites.csv, line 2", "2 values, but the header has 3 columns", "double quotes"),
            (HEADER + "1,51.0,3.7,Main, St\n", "sites.csv, line 2", "5 values, but the header has 3", "double quotes"),
        ],
    )
    def test_bad_files(self, tmp_path, sites, place, message, repair):
        found = findings_of(tmp_path, sites=sites)
        assert len(found) == 1
        assert found[0][0] == place
        assert message in found[0][1]
        assert repair in found[0][2]

    @pytest.mark.parametrize("mark", [";", "\t", "|"])
    def test_other_separators_are_named(self, tmp_path, mark):
        found = findings_of(tmp_path, sites=self.HEADER.replace(",", mark) + mark.join("123"))
        assert {place for place, _, _ in found} == {
            f"sites.csv, line 1, column {name}" for name in ("SITE_ID", "LATITUDE", "LONGITUDE")
        }
        assert {repair for _, _, repair in found} == {"separate the columns by commas"}

    def test_missing_files_are_named_together(self, tmp_path):
        with pytest.raises(InputError) as caught:
            import_eua(tmp_path / "a.csv", tmp_path / "b.csv")
        assert [Path(f.path).name for f in caught.value.findings] == ["a.csv", "b.csv"]

    def test_the_faults_of_both_files_come_at_once_in_order(self, tmp_path):
        found = findings_of(
            tmp_path,
            sites=self.HEADER + "1,x,y\n2,51,\n",
            users="Latitude,Longitude\n51,nan\n51,3\n99,3\n",
        )
        assert [place for place, _, _ in found] == [
            "sites.csv, line 2, column LATITUDE",
            "sites.csv, line 2, column LONGITUDE",
            "sites.csv, line 3, column LONGITUDE",
            "users.csv, line 2, column Longitude",
            "users.csv, line 4, column Latitude",
        ]

    def test_a_long_list_is_capped_and_its_count_stated(self, tmp_path):
        found = findings_of(tmp_path, users="Latitude,Longitude\n" + "x,3\n" * 50)
        assert len(found) == 21
        assert found[-1][:2] == ("(all files)", "50 faults in all, 30 not shown")

    def test_a_list_at_the_cap_is_whole(self, tmp_path):
        assert len(findings_of(tmp_path, users="Latitude,Longitude\n" + "x,3\n" * 20)) == 20

    @pytest.mark.parametrize(("latitude", "longitude"), [(-51.05, 3.72), (51.05, -3.72), (5.105, 3.72), (0, 0)])
    def test_a_mistyped_place_is_far_from_the_others(self, tmp_path, latitude, longitude):
        users = USERS.read_text() + f"{latitude},{longitude}\n"
        ((place, message, _),) = findings_of(tmp_path, users=users)
        assert place == "users.csv, line 20"
        assert "km from the middle of all places" in message


def test_every_pair_of_devices_in_range_has_a_link(scenario):
    places = {d.name: (d.x_m, d.y_m) for d in scenario.devices}
    for cell in build_problem(scenario).cells:
        for i, j in itertools.permutations(range(cell.size), 2):
            near = math.dist(places[cell.names[i]], places[cell.names[j]]) <= scenario.physics.d2d_range_m
            assert (cell.d2d_gain[i, j] > 0) == near
