"""Fixed prompts for audits: the same for everybody, so that hosts audited elsewhere can be compared."""

from __future__ import annotations

from sweeps.engines.base import Prompt

# Each has more tokens than the smallest batch that an audit tries (64), so that the batch shapes of its prefill differ.
_NOTES = (
    "Ann: the night pump stopped twice, at 02:10 and at 03:40. Ben: the log shows 3.2 bar before the first stop"
    " and 2.9 bar before the second one. Ann: then it is the pressure valve again. We replaced its seal on"
    " Monday. Ben: I would change the whole valve this time, part 4417-B, and keep the old one for the workshop."
    " Ann: agreed, on Thursday.",
    "Customer: since the update the export takes twelve minutes, before it took two. Support: how many rows are"
    " in the table? Customer: about 1.4 million, as always. Support: version 8.3 writes an index for each"
    " export. Set the option 'defer index' to yes, and tell me the time. Customer: two minutes and five seconds."
    " Support: 8.4 will do so itself.",
    "Minutes, 14 May. Present: Ito, Okafor, Lind. Lind reports that the second supplier delivers six weeks"
    " late. Okafor proposes to build 200 units with the parts at hand and 300 in July. Ito asks for the cost:"
    " 4,100 euros more for the second setup. Decision: two lots. Ito informs the customer by Friday. Next"
    " meeting on 28 May, at 10:00, room 3.",
    "Review of change 2291. The cache keeps permissions for ten minutes, so a removed user can read until then."
    " Author: the old code asked the database for every request, which took 40 ms. Reviewer: keep the cache, but"
    " empty it when a permission changes. Author: done in the second commit, with a test. Reviewer: approved,"
    " please write the release note.",
    "Weather service, station 17. The sensor on the mast reports minus 40 degrees in every third reading since"
    " Sunday. The cable was checked and is sound. The supply shows 4.6 volts instead of 5.0 while the heater is"
    " on. Suspected: the heater draws too much current. Until the spare part arrives the heater stays off, and"
    " readings below minus 30 are dropped.",
    "Plan for the move of the archive: boxes 1 to 120 go to the cellar of building C, boxes 121 to 180 are"
    " scanned first. Scanning takes two people three days. The lift is out of order on 3 June, so the move"
    " begins on 4 June. Mrs Weber has the keys. Whoever needs a box before that writes its number on the list at"
    " the door. Insurance: contract 88-1402.",
)

PROMPTS: dict[str, Prompt] = {
    f"text {number}": Prompt(f"{notes}\n\nSummarise these notes in three sentences.")
    for number, notes in enumerate(_NOTES, 1)
}
"""Prompts of the log probabilities, by name."""
