"""A file of every kind that is taken, two seconds each."""

import functools

import numpy as np

from tests.inference.audio.encoders import ffmpeg, id3, remuxed, rf64
from tests.samples import DATA, encode, tone, wav

SECONDS = 2.0

# Name → container, encoder, sample rate.
_FFMPEG = {
    "MP3": ("mp3", "libmp3lame", 16_000),
    "MP3, 44.1 kHz": ("mp3", "libmp3lame", 44_100),
    "MP2": ("mp2", "mp2", 16_000),
    "AAC": ("adts", "aac", 16_000),
    "AC3": ("ac3", "ac3", 48_000),
    "M4A, AAC": ("ipod", "aac", 16_000),
    "M4A, ALAC": ("ipod", "alac", 16_000),
    "MP4, Opus": ("mp4", "libopus", 48_000),
    "MP4, FLAC": ("mp4", "flac", 16_000),
    "MP4, MP3": ("mp4", "libmp3lame", 44_100),
    "MOV, PCM": ("mov", "pcm_s16le", 16_000),
    "3GP, AMR": ("3gp", "libopencore_amrnb", 8_000),
    "AMR": ("amr", "libopencore_amrnb", 8_000),
    "WebM, Opus": ("webm", "libopus", 48_000),
    "Matroska, AAC": ("matroska", "aac", 16_000),
    "Matroska, PCM": ("matroska", "pcm_s16le", 16_000),
    "OGG, FLAC": ("ogg", "flac", 16_000),
    "WAV, G.722": ("wav", "g722", 16_000),
    "WAV, G.726": ("wav", "g726", 8_000),
    "WAV, MP3": ("wav", "libmp3lame", 16_000),
    "WAV, MP2": ("wav", "mp2", 16_000),
    "AIFF": ("aiff", "pcm_s24be", 16_000),
    "AIFC, float": ("aiff", "pcm_f32be", 16_000),
    "AU": ("au", "pcm_s16be", 16_000),
    "AU, µ-law": ("au", "pcm_mulaw", 8_000),
    "AU, G.722": ("au", "g722", 16_000),
    "CAF, PCM": ("caf", "pcm_s16le", 16_000),
    "CAF, ALAC": ("caf", "alac", 16_000),
    "CAF, ADPCM": ("caf", "adpcm_ima_qt", 16_000),
    "W64": ("w64", "pcm_s16le", 16_000),
    "W64, ADPCM": ("w64", "adpcm_ms", 16_000),
    "WavPack": ("wv", "wavpack", 16_000),
    "TTA": ("tta", "tta", 16_000),
    "MPEG-TS, AAC": ("mpegts", "aac", 16_000),
    "MPEG-TS, MP2": ("mpegts", "mp2", 16_000),
    "MPEG-TS, AC-3": ("mpegts", "ac3", 48_000),
    "FLV, AAC": ("flv", "aac", 16_000),
    "FLV, Nellymoser": ("flv", "nellymoser", 8_000),
    "FLV, ADPCM": ("flv", "adpcm_swf", 22_050),
}
_LIBSNDFILE = {
    "WAV": ("WAV", "PCM_16", 16_000),
    "WAV, 24 bits, extensible": ("WAVEX", "PCM_24", 16_000),
    "WAV, A-law": ("WAV", "ALAW", 8_000),
    "WAV, µ-law": ("WAV", "ULAW", 8_000),
    "WAV, GSM": ("WAV", "GSM610", 8_000),
    "WAV, IMA ADPCM": ("WAV", "IMA_ADPCM", 8_000),
    "WAV, Microsoft ADPCM": ("WAV", "MS_ADPCM", 8_000),
    "FLAC": ("FLAC", "PCM_16", 16_000),
    "OGG, Vorbis": ("OGG", "VORBIS", 16_000),
    "OGG, Opus": ("OGG", "OPUS", 16_000),
}
SPEECH = ("AMR-WB", "3GP, AMR-WB", "OGG, Speex")
"""Those that nothing here encodes: a clip of speech in place of a tone."""
_FRAGMENTS = {"movflags": "frag_every_frame+empty_moov"}


def encoders():
    """Name → sample rate in Hz, and a function from mono samples at that rate to a file."""
    made = {name: (rate, functools.partial(_by_ffmpeg, kind, rate)) for name, (*kind, rate) in _FFMPEG.items()}
    made |= {name: (rate, functools.partial(_by_libsndfile, kind, rate)) for name, (*kind, rate) in _LIBSNDFILE.items()}
    made["WMA 1"] = (44_100, functools.partial(_wma, "wmav1"))
    made["WMA 2"] = (44_100, functools.partial(_wma, "wmav2"))
    return made


@functools.cache
def files_of_every_kind():
    """Name → bytes of 2 s of a tone of 440 Hz, soft enough that no codec clips it; of `SPEECH`, of a clip."""
    files = {name: encoder(_tone(rate)) for name, (rate, encoder) in encoders().items()}
    stereo = np.stack([_tone(44_100)] * 2, axis=1)
    files["WebM, Vorbis"] = ffmpeg(stereo, "webm", "vorbis", 44_100)
    files["MP4, fragmented"] = ffmpeg(_tone(16_000), "mp4", "aac", options=_FRAGMENTS)
    files["MP4, index first"] = ffmpeg(_tone(16_000), "mp4", "aac", options={"movflags": "faststart"})
    files["MP4, film"] = ffmpeg(_tone(16_000), "mp4", "aac", video=True)
    files["WebM, of a browser"] = ffmpeg(_tone(48_000), "webm", "libopus", 48_000, streamed=True)
    files["MPEG-TS, LATM"] = ffmpeg(_tone(16_000), "mpegts", "aac", options={"mpegts_flags": "+latm"})
    files["MOV, film"] = ffmpeg(_tone(16_000), "mov", "aac", video=True)
    files["Matroska, film"] = ffmpeg(_tone(16_000), "matroska", "aac", video=True)
    files["MP4, cover"] = ffmpeg(_tone(16_000), "mp4", "aac", cover=True)
    files["FLAC, cover"] = ffmpeg(_tone(16_000), "flac", "flac", cover=True)
    files["MP3, cover"] = ffmpeg(_tone(16_000), "mp3", "libmp3lame", cover=True)
    files["AMR-WB"] = (DATA / "namaste.awb").read_bytes()
    files["3GP, AMR-WB"] = remuxed(files["AMR-WB"], "3gp")
    files["OGG, Speex"] = (DATA / "namaste.spx").read_bytes()
    files["RF64"] = rf64(_tone(16_000))
    files["BW64"] = b"BW64" + files["RF64"][4:]
    files["WAV, piped"] = wav((_tone(16_000) * 32767).astype("<i2").tobytes(), size=0)
    files["FLAC, tagged"] = id3() + files["FLAC"]
    files["OGG, chained"] = files["OGG, Opus"] + files["OGG, Vorbis"]
    return files


def _by_ffmpeg(kind, rate, samples):
    return ffmpeg(samples, *kind, rate)


def _by_libsndfile(kind, rate, samples):
    return encode(samples, rate, *kind)


def _wma(codec, samples):
    return ffmpeg(np.stack([samples] * 2, axis=1), "asf", codec, 44_100, bit_rate=64_000)


def _tone(rate):
    return tone(SECONDS, rate, hertz=440)
