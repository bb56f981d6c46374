"""How a judge is asked about answers, and how its verdicts are read.

`prompts` writes what a judge is asked, with the answers between marks that no text can close; `verdicts`
reads its reply, strictly; `questions` says which questions it takes to judge a candidate, and `scores` what
the verdicts come to. A judge is a recipe, and asking it is a bulk run (`evaluation.grade`), of which this
package knows nothing.
"""
