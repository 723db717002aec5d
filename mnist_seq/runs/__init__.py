"""Run folders and sweep folders on disk, and what a run tells its listeners.

folder, sweep_folder    the files of a run and of a sweep, by name
disk                    what files may hold, and how much of them is read
files, lock             write files whole, lock a folder
provenance              code, versions, host; code_identity has the rule for the code's hash
variants, stale         which runs belong together; whether a folder holds the run asked for
events                  what a run tells progress bars, trackers and the sweep
console, text           the screen, and names and texts for people
commands                every command that is printed, and how values are typed
"""
