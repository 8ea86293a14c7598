"""`scople page` from the committed results alone, and its page in a real browser."""

import json
import shutil
import time
from importlib.util import find_spec

import pytest
from hostile_profile import EVIL, known, parts, recording

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.commands.page import main
from scople.reports.page.document import LARGEST, page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
SHOW = "arguments[0].scrollIntoView({block: 'center'})"


@pytest.mark.slow
def test_committed_results_make_a_whole_page(root, tmp_path, monkeypatch):
    for name in ("results", "datasets", "params.yaml"):
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.chdir(tmp_path)
    assert main(load_params(), "demo.html").startswith("demo.html, 0.")
    text = (tmp_path / "demo.html").read_text()
    assert len(text.encode()) < LARGEST
    assert all(f"<h3>Table {number}: " in text for number in (1, 2, 3, 4))
    for split in load_params().splits:
        assert f"dvc repro evaluate@{split}" in text


def test_a_folder_is_no_place_for_a_page(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(ScopleError, match="is a folder"):
        main(load_params(), str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(ScopleError, match="is no folder"):
        main(load_params(), str(tmp_path / "file" / "page.html"))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A page with two splits and names that try to break out."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    still = recording(bodies=1)
    splits = [parts(), parts(name="other_2_1", recordings=[still])]
    path.write_text(page(known(splits=splits)), encoding="utf-8")
    return path


@pytest.fixture
def browser(file, request):
    """Headless Chromium that has opened the page from disk; `request.param`: width, dark, reduced motion."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with its driver here: install the packages chromium and chromium-driver")
    if find_spec("selenium") is None:
        pytest.skip("selenium is not installed: call `make setup`")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    width, is_dark, is_still = getattr(request, "param", (1280, False, False))
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(DRIVER))
    try:
        features = {"prefers-color-scheme": "dark" if is_dark else "light"}
        features["prefers-reduced-motion"] = "reduce" if is_still else "no-preference"
        media = [{"name": name, "value": value} for name, value in features.items()]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.get(file.as_uri())
        yield driver
        assert driver.get_log("browser") == [], "a console message"
        assert requested(driver) <= {file.as_uri()}
    finally:
        driver.quit()


def requested(driver):
    """Addresses of all requests but those of pictures that stand in the page itself."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return {url for url in sent if not url.startswith("data:")}


def column(table, number):
    return [row.find_elements("css selector", "th, td")[number].text for row in rows(table)]


def rows(table):
    return table.find_elements("css selector", "tbody tr")


def picture(driver):
    return driver.execute_script("return document.getElementById('figure').toDataURL()")


@pytest.mark.slow
def test_a_click_and_a_key_sort(browser):
    table = browser.find_element("css selector", "#split-tiny_2_1 table")
    accuracy, name = (table.find_elements("css selector", "thead button")[k] for k in (3, 0))
    browser.execute_script(SHOW, accuracy)
    assert column(table, 3) == ["71.4", "0.0", "–"]
    accuracy.click()
    assert column(table, 3) == ["71.4", "0.0", "–"]
    accuracy.send_keys("\n")  # Enter
    assert column(table, 3) == ["0.0", "71.4", "–"]  # what is missing stays last
    heads = table.find_elements("css selector", "thead th")
    assert [head.get_attribute("aria-sort") for head in heads] == [None, None, None, "ascending", None, None]
    name.click()
    assert column(table, 0) == [EVIL, "cost $5 & <b>bold</b>", "wave"]


@pytest.mark.slow
def test_choosers_show_one_at_a_time(browser):
    from selenium.webdriver.support.select import Select

    shown = browser.find_elements("css selector", "#splits article")
    assert [part.is_displayed() for part in shown] == [True, False]
    Select(browser.find_element("css selector", "#splits select")).select_by_visible_text("other_2_1")
    assert [part.is_displayed() for part in shown] == [False, True]
    views = browser.find_elements("css selector", "[data-of=table2]")
    assert [part.is_displayed() for part in views] == [True, False]
    browser.find_element("css selector", "input[value=table2-h]").send_keys(" ")
    assert [part.is_displayed() for part in views] == [False, True]


@pytest.mark.slow
def test_a_recording_plays_and_stops(browser):
    play = browser.find_element("id", "play")
    browser.execute_script(SHOW, browser.find_element("id", "figure"))
    first = picture(browser)
    time.sleep(0.4)
    assert play.text == "Pause"
    assert picture(browser) != first
    play.click()
    stopped = picture(browser)
    time.sleep(0.3)
    assert picture(browser) == stopped
    browser.execute_script("const t = document.getElementById('turn'); t.value = 90; t.oninput()")
    assert picture(browser) != stopped
    said = browser.find_element("id", "looked").text
    browser.find_elements("css selector", "#ranked input")[1].send_keys(" ")
    assert EVIL in browser.find_element("id", "looked").text != said


@pytest.mark.slow
@pytest.mark.parametrize("browser", [(1280, False, True)], indirect=True)
def test_reduced_motion_stands_still_until_asked(browser):
    browser.execute_script(SHOW, browser.find_element("id", "figure"))
    time.sleep(0.3)
    play = browser.find_element("id", "play")
    assert play.text == "Play"
    first = picture(browser)
    play.click()
    time.sleep(0.3)
    assert picture(browser) != first


@pytest.mark.slow
@pytest.mark.parametrize("browser", [(390, False, False), (390, True, False), (1280, True, False)], indirect=True)
def test_nothing_is_wider_than_the_screen_in_light_and_dark(browser, request):
    # Not innerWidth: on a phone it grows with what is too wide.
    width = request.node.callspec.params["browser"][0]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    ground = "return getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color"
    before, toggle = browser.execute_script(ground), browser.find_element("id", "theme")
    wanted = toggle.text
    toggle.click()
    after = browser.execute_script(ground)
    assert after != before
    assert toggle.text == {"Dark": "Light", "Light": "Dark"}[wanted]
    toggle.click()
    assert browser.execute_script(ground) == before
