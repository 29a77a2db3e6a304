import numpy as np
import pandas as pd
import pytest

from reidops.boxes.identities import NO_PERSON, people_of_boxes


@pytest.mark.parametrize(("among", "people"), [("pedestrians", [7, NO_PERSON]), ("all", [8, NO_PERSON])])
def test_a_distractor_takes_a_box_from_the_pedestrian_beside_it_if_all_annotations_take_part(among, people):
    annotations = pd.DataFrame(
        {"frame": 1, "track_id": [7, 8], "left": [3.0, 1.0], "top": 0.0, "width": 10.0, "height": 20.0}
    ).assign(class_id=[1, 8], considered=[True, False])
    boxes = np.array([[0, 0, 10, 20], [100, 0, 10, 20]], float)  # IoU of the first: 0.54 with 7, 0.82 with 8
    assert people_of_boxes(np.array([1, 1]), boxes, annotations, among=among).tolist() == people
