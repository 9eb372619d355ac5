"""From a few labelled examples and some without a label to answers, in one command.

`task` is what is asked, before anything is read: `picture_task` finds it in folders,
`text_task` in files of lines. It is answered by a run (`by_run`, `open_set`,
`by_class_names`) or without one, by a pre-trained encoder (`by_encoder`). What comes
out are `answers`, written by `formats` and drawn by `answers_picture`.
"""
