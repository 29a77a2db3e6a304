"""A MOTChallenge data set drawn from a seed, in MOT17's exact layout.

People with a constant appearance walk through drawn street scenes. They cover each other, pass behind furniture, leave
and come back.
"""
