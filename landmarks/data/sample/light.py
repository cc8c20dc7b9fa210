"""Weather and time of day: where the light comes from, its colours, the haze and the sky."""

from typing import NamedTuple

from landmarks.data.sample.integer import ONE, TURN, Stream, cos, sin
from landmarks.data.sample.solids import Color


class Light(NamedTuple):
    """The light of a photo. `sun` points to it (length 4096); strengths are in 1/256."""

    weather: str
    sun: tuple[int, int, int]
    sun_color: Color
    ambient: Color
    zenith: Color
    horizon: Color
    cloud: Color
    cloud_cover: int  # 0 to 255
    haze: int  # share of 256 lost to haze at a kilometre
    windows_lit: int  # percent
    flood: int  # strength of lamps that light a building from below


class Weather(NamedTuple):
    """The ranges from which a light is drawn; `share` says how often."""

    zenith: Color
    horizon: Color
    cloud: Color
    sun_color: Color
    ambient: Color
    height: tuple[int, int]  # of the sun, 4096 a turn
    cover: tuple[int, int]
    haze: tuple[int, int]
    windows_lit: int
    flood: int
    share: int


# fmt: off
WEATHER = {
    "clear": Weather((66, 122, 196), (176, 206, 228), (250, 250, 248), (176, 164, 136),
                     (128, 136, 152), (240, 640), (0, 90), (10, 60), 0, 0, share=26),
    "cloudy": Weather((104, 140, 184), (196, 210, 220), (236, 238, 240), (124, 118, 104),
                      (152, 156, 164), (240, 640), (90, 170), (20, 90), 0, 0, share=18),
    "overcast": Weather((150, 158, 168), (196, 200, 204), (212, 214, 218), (30, 30, 28),
                        (196, 200, 206), (400, 700), (200, 255), (60, 200), 4, 0, share=14),
    "mist": Weather((186, 192, 198), (208, 212, 214), (222, 224, 226), (34, 32, 28),
                    (204, 206, 210), (300, 600), (120, 200), (420, 900), 6, 0, share=5),
    "golden": Weather((96, 136, 186), (244, 214, 164), (252, 226, 190), (222, 164, 90),
                      (120, 118, 136), (70, 170), (20, 120), (30, 120), 4, 0, share=13),
    "sunset": Weather((82, 88, 142), (250, 158, 92), (236, 128, 104), (210, 116, 64),
                      (112, 98, 118), (20, 70), (60, 170), (60, 160), 20, 20, share=9),
    "dusk": Weather((34, 44, 92), (146, 128, 160), (92, 88, 124), (18, 18, 28),
                    (88, 92, 128), (20, 60), (40, 150), (40, 120), 45, 90, share=7),
    "night": Weather((14, 18, 42), (58, 56, 80), (44, 46, 68), (16, 18, 28),
                     (60, 62, 86), (300, 600), (0, 160), (30, 100), 55, 150, share=5),
}
# fmt: on


def make_light(stream: Stream) -> Light:
    """Draw the weather, the hour and the direction of the light of one photo."""
    name = stream.weighted({name: weather.share for name, weather in WEATHER.items()})
    weather = WEATHER[name]
    up, around = stream.between(*weather.height), stream.below(TURN)
    reach = cos(up)
    sun = (reach * cos(around) // ONE >> 2, reach * sin(around) // ONE >> 2, sin(up) >> 2)
    tint = [stream.between(-12, 12) for _ in range(3)]
    shade = stream.between(-14, 14)

    def varied(color: Color) -> Color:
        red, green, blue = (
            max(0, min(255, c + (t + shade) * c // 160)) for c, t in zip(color, tint, strict=True)
        )
        return red, green, blue

    return Light(
        name,
        sun,
        weather.sun_color,
        weather.ambient,
        varied(weather.zenith),
        varied(weather.horizon),
        varied(weather.cloud),
        stream.between(*weather.cover),
        stream.between(*weather.haze),
        weather.windows_lit,
        weather.flood,
    )
