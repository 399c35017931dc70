# ruff: noqa: E501 (lines of chats are as long as they are)
"""Chats in the forms in which programs export them: what was said remains, and nothing of the program's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objectives.chats.transcript import transcript
from objectives.rubrics import find_candidates

WANTED = [
    ("Ana", "We move the nightly index build to Tuesday."),
    ("Bob", "Fine: it takes 40 minutes.\nI write the report."),
    ("Ana", "Done at 14:05."),
]

STAMPS = {  # of messages; {} is the minute
    "UK": "12/03/2024, 14:{} - ",
    "US": "3/12/24, 2:{} PM - ",
    "US, narrow blank": "3/12/24, 2:{}\u202fPM - ",
    "German": "12.03.24, 14:{} - ",
    "French": "12/03/2024 à 14:{} - ",
    "Italian": "12/03/24, 14:{} - ",
    "Spanish": "12/3/24, 2:{} p. m. - ",
    "Dutch": "12-03-2024 14:{} - ",
    "Swedish": "2024-03-12 14:{} - ",
    "Finnish": "12.3.2024 klo 14.{} - ",
    "Turkish": "12.03.2024 14:{} - ",
    "Japanese": "2024/03/12 14:{} - ",
    "Japanese, morning": "2024/03/12, 午後2:{} - ",
    "Chinese": "2024/3/12 下午2:{} - ",
    "Korean": "2024. 3. 12. 오후 2:{} - ",
    "Arabic digits": "١٢/٣/٢٠٢٤، ٢:{} م - ",
    "Indian": "12/03/24, 2:{} pm - ",
    "iOS": "[12/03/2024, 14:{}:33] ",
    "iOS, German": "[12.03.24, 14:{}:33] ",
    "iOS, US": "[3/12/24, 2:{}:33\u202fPM] ",
    "iOS, Japanese": "[2024/03/12 14:{}:33] ",
    "iOS, Chinese": "[2024/3/12 下午2:{}:33] ",
    "KakaoTalk": "2024년 3월 12일 오후 2:{}, ",
}


def whatsapp(stamp: str) -> str:
    at = [stamp.format(minute) for minute in ("05", "06", "07", "08", "09", "10")]
    mark = "\u200e" if stamp.startswith("[") else ""
    system = f"Team: {mark}" if mark else ""
    media = f"{mark}image omitted" if mark else "<Media omitted>"
    return (
        f"{mark}{at[0]}{system}Messages and calls are end-to-end encrypted. No one outside of this chat can read them.\n"
        f"{at[0]}{system}Ana created this group\n"
        f"{at[1]}Ana: We move the nightly index build to Tuesday.\n"
        f"{mark}{at[2]}Bob: {media}\n"
        f"{at[3]}Bob: Fine: it takes 40 minutes.\nI write the report.\n"
        f"{at[4]}{system}Carla joined using this group's invite link\n"
        f"{mark}{at[4]}Carla: This message was deleted\n"
        f"{at[5]}Ana: Done at 14:05. <This message was edited>\n"
    )


@pytest.mark.parametrize("form", sorted(STAMPS))
def test_whatsapp(form: str) -> None:
    chat = transcript(whatsapp(STAMPS[form]))
    assert chat is not None
    assert [(turn.speaker, turn.text) for turn in chat.turns] == WANTED
    assert not chat.for_programs


SLACK = [
    {"type": "message", "subtype": "channel_join", "user": "U1", "text": "<@U1> has joined the channel"},
    {"type": "message", "user": "U1", "text": "We move the nightly index build to Tuesday.", "user_profile": {"real_name": "Ana"}},
    {"type": "message", "user": "U2", "text": "Fine: it takes 40 minutes.\nI write the report.", "user_profile": {"display_name": "Bob"}},
    {"type": "message", "subtype": "channel_topic", "user": "U2", "text": "set the channel topic: Index"},
    {"type": "message", "user": "U1", "text": "Done at 14:05.", "thread_ts": "1.2"},
]  # fmt: skip
TELEGRAM = {"name": "Team", "type": "private_group", "messages": [
    {"id": 1, "type": "service", "actor": "Ana", "action": "create_group", "text": ""},
    {"id": 2, "type": "message", "from": "Ana", "text": ["We move the ", {"type": "bold", "text": "nightly"}, " index build to Tuesday."]},
    {"id": 3, "type": "message", "from": "Bob", "text": "Fine: it takes 40 minutes.\nI write the report."},
    {"id": 4, "type": "message", "from": "Ana", "text": "Done at 14:05."},
]}  # fmt: skip
QMSUM = {"topic_list": [{"topic": "x"}], "meeting_transcripts": [{"speaker": s, "content": t} for s, t in WANTED]}

TEXTS = {
    "irssi": """\
--- Log opened Tue Mar 12 14:00:00 2024
14:01 -!- bob [~bob@host] has joined #db
14:05 < Ana> We move the nightly index build to Tuesday.
14:06 <@Bob> Fine: it takes 40 minutes.
14:06 <@Bob> I write the report.
14:07 -!- mode/#db [+o bob] by ana
14:08 <Ana> Done at 14:05.
14:09 -!- bob [~bob@host] has quit [Ping timeout: 252 seconds]
""",
    "znc": """\
[14:01:02] *** Joins: bob (~bob@host)
[14:05:33] <Ana> We move the nightly index build to Tuesday.
[14:06:00] <Bob> Fine: it takes 40 minutes.
[14:06:09] <Bob> I write the report.
[14:08:00] <Ana> Done at 14:05.
[14:09:00] *** Quits: bob (~bob@host) (Quit: bye)
""",
    "ubuntu": """\
=== bob [~bob@host] has joined #db
[14:05] <Ana> We move the nightly index build to Tuesday.
[14:06] <Bob> Fine: it takes 40 minutes.
[14:06] <Bob> I write the report.
[14:08] <Ana> Done at 14:05.
=== bob is now known as bob_away
""",
    "hexchat": """\
Mar 12 14:01:00 *\tbob (~bob@host) has joined
Mar 12 14:05:33 <Ana>\tWe move the nightly index build to Tuesday.
Mar 12 14:06:00 <Bob>\tFine: it takes 40 minutes.
Mar 12 14:06:08 <Bob>\tI write the report.
Mar 12 14:08:00 <Ana>\tDone at 14:05.
""",
    "weechat": """\
2024-03-12 14:01:00\t-->\tbob (~bob@host) has joined #db
2024-03-12 14:05:33\t@Ana\tWe move the nightly index build to Tuesday.
2024-03-12 14:06:00\tBob\tFine: it takes 40 minutes.
2024-03-12 14:06:30\tBob\tI write the report.
2024-03-12 14:08:00\t@Ana\tDone at 14:05.
2024-03-12 14:09:00\t<--\tbob (~bob@host) has quit (Quit)
""",
    "teams vtt": """\
WEBVTT

5f3c/12-0
00:00:01.000 --> 00:00:04.000
<v Ana>We move the nightly index build</v>

5f3c/13-0
00:00:04.000 --> 00:00:05.000
<v Ana>to Tuesday.</v>

5f3c/14-0
00:00:05.000 --> 00:00:09.000 align:start
<v.loud Bob>Fine: it takes <b>40</b> minutes.</v>
<v Bob>I write the report.</v>

5f3c/15-0
00:00:09.000 --> 00:00:12.000
<v Ana>Done at 14:05.</v>
""",
    "zoom vtt": """\
WEBVTT

NOTE made by Zoom

1
00:00:01.000 --> 00:00:04.000
Ana: We move the nightly index build to Tuesday.

2
00:00:05.000 --> 00:00:07.000
Bob: Fine: it takes 40 minutes.

3
00:00:07.000 --> 00:00:09.000
I write the report.

4
00:00:09.000 --> 00:00:12.000
Ana: Done at 14:05.
""",
    "srt": """\
1
00:00:01,000 --> 00:00:04,000
Ana: We move the <i>nightly</i> index build to Tuesday.

2
00:00:05,000 --> 00:00:07,000
{\\an8}Bob: Fine: it takes 40 minutes.
I write the report.

3
00:00:09,000 --> 00:00:12,000
Ana: Done at 14:05.
""",
    "markdown, bold": """\
# Index meeting
Attendees: Ana, Bob

**Ana** (14:05): We move the nightly index build to Tuesday.

**Bob** (14:06): Fine: it takes 40 minutes.
I write the report.

---
**Ana** (14:08): Done at 14:05.
""",
    "markdown, colon inside": """\
## Transcript
### 00:05:00
**Ana:** We move the nightly index build to Tuesday.
**Bob:** Fine: it takes 40 minutes.
I write the report.
### 00:10:00
**Ana:** Done at 14:05.
""",
    "markdown, list": """\
- *14:05* **Ana**: We move the nightly index build to Tuesday.
- *14:06* **Bob**: Fine: it takes 40 minutes.
  I write the report.
- *14:08* **Ana**: Done at 14:05.
""",
    "markdown, headings": """\
# Index meeting

### Ana, 14:05
We move the nightly index build to Tuesday.

### Bob, 14:06
Fine: it takes 40 minutes.
I write the report.

### Ana, 14:08
Done at 14:05.
""",
    "name above": """\
Index meeting

Ana  0:05
We move the nightly index build to Tuesday.

Bob  0:12
Fine: it takes 40 minutes.
I write the report.

Ana  1:02
Done at 14:05.
""",
    "zoom transcript": """\
[Ana] 14:05:33
We move the nightly index build to Tuesday.

[Bob] 14:06:00
Fine: it takes 40 minutes.
I write the report.

[Ana] 14:08:00
Done at 14:05.
""",
    "zoom chat": """\
14:05:33\t From Ana to Everyone: We move the nightly index build to Tuesday.
14:06:00\t From  Bob  to  Everyone:
\tFine: it takes 40 minutes.
\tI write the report.
14:08:00\t From Ana to Bob(Direct Message): Done at 14:05.
""",
    "slack": json.dumps(SLACK),
    "telegram": json.dumps(TELEGRAM),
    "qmsum": json.dumps(QMSUM),
}


@pytest.mark.parametrize("form", sorted(TEXTS))
def test_who_said_what(form: str) -> None:
    chat = transcript(TEXTS[form])
    assert chat is not None
    said = [(turn.speaker, turn.text.replace("\n", " ")) for turn in chat.turns]
    joined: list[tuple[str, str]] = []
    for speaker, text in said:  # IRC has a line per message
        if joined and joined[-1][0] == speaker:
            joined[-1] = (speaker, f"{joined[-1][1]} {text}")
        else:
            joined.append((speaker, text))
    assert joined == [(speaker, text.replace("\n", " ")) for speaker, text in WANTED]


@pytest.mark.parametrize("form", [*sorted(TEXTS), *sorted(STAMPS)])
def test_candidates_have_nothing_of_the_program(form: str) -> None:
    log = TEXTS[form] if form in TEXTS else whatsapp(STAMPS[form])
    found = find_candidates(log)
    texts = " ".join(candidate.text for candidate in found)
    assert "We move the nightly index build" in texts
    for other in (
        "joined",
        "encrypted",
        "omitted",
        "deleted",
        "quit",
        "-->",
        "WEBVTT",
        "has set",
        "topic",
        "2024",
        "14:06",
        "<v",
    ):
        assert other not in texts
    assert {candidate.note for candidate in found} <= {"said by Ana", "said by Bob"}


def test_links_and_people_of_slack() -> None:
    messages = [
        {"type": "message", "user": "U1", "text": "<@U2> see <https://x.test/a|the page> &amp; <#C1|db>, <!here>", "user_profile": {"real_name": "Ana"}},
        {"type": "message", "user": "U2", "text": "ok <https://x.test>", "user_profile": {"real_name": "Bob"}},
        {"type": "message", "subtype": "bot_message", "username": "ci", "text": "Build failed"},
    ]  # fmt: skip
    chat = transcript(json.dumps(messages))
    assert chat is not None
    assert chat.text == "Ana: @Bob see the page & #db, @here\nBob: ok https://x.test\nci: Build failed\n"


def test_actions_of_irc_are_said_and_events_are_not() -> None:
    log = "[14:05] <Ana> hi\n[14:06] * Bob drops the old index\n[14:07] * Bob has joined #db\n[14:08] <Ana> ok\n"
    log += "[14:09] * Bob left #db\n[14:10] * Ana left the old index in place\n"
    chat = transcript(log)
    assert chat is not None
    assert [turn.text for turn in chat.turns] == [
        "hi", "Bob drops the old index", "ok", "Ana left the old index in place",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "log",
    [
        "Ana: We move the index.\nBob: Fine.\n",
        "[14:05] Ana: We move the index.\n[14:06] Bob: Fine.\n",
        "We met on 12/03/2024, at 14:05 - and decided.\nNothing else happened.\n",
        "# Notes\n\n**Important** things were said.\n\n**Never** forget it.\n",
        "# Notes\n\n**Decision:** The index moves.\n**Owner:** Bob writes the report.\n**Due:** Thursday.\n",
        "Agenda\nDeploy at 14:05\nReview at 15:00\nThe index was dropped, and Bob wrote the report.\n",
        '{"a": 1}',
        "[1, 2]",
        "",
    ],
)
def test_other_logs_stay_as_they_are(log: str) -> None:
    assert transcript(log) is None


@given(st.text(max_size=300))
def test_any_text_is_read(log: str) -> None:
    chat = transcript(log)
    assert chat is None or chat.turns


@given(
    st.lists(
        st.sampled_from(
            [
                "12/03/24, 14:05 - Ana: x",
                "<v a>",
                "00:00.000 --> 00:01.000",
                "**A:** b",
                "[14:05] <a> b",
                "{",
                "# A 1:02",
            ]
        )
    )
)
def test_any_mixture_is_read(lines: list[str]) -> None:
    chat = transcript("\n".join(lines))
    assert chat is None or all(turn.text for turn in chat.turns)
