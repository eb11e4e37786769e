"""Whether translations arrive: the share of them that a classifier takes for the target domain.

That share is called their strength. A perfect translator has about the classifier's accuracy on
real images of the target; one that does nothing, what its accuracy on the source leaves.
"""

from typing import Any, Literal

import numpy as np

from cyclegan_keras import _extras
from cyclegan_keras.metrics.features import Features

# The strengths of regularisation that are tried, from nearly all to nearly none.
INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
NUM_FOLDS = 5
# Log-odds nearer to 0 than this are rounding.
UNDECIDED = 1e-9


class DomainClassifier:
    """Tells A from B by features: logistic regression on standardised ones.

    How much it is regularised is chosen by cross-validation. It sees training images only, and both
    domains weigh the same, however many images they have. The same images in the same order make
    the same classifier.

    Args:
        train_A: Features of real training images of A, at least 2.
        train_B: Those of B, of the same extractor, at least 2.
        seed: Of the division into parts for cross-validation.

    Raises:
        ValueError: If the extractors differ, there are too few images, or scikit-learn is not
            installed.
    """

    def __init__(self, train_A: Features, train_B: Features, seed: int = 0) -> None:
        self.extractor = train_A.extractor
        self._check(train_B)
        if min(len(train_A), len(train_B)) < 2:
            raise ValueError(
                "Each domain must have at least 2 training images. "
                f"Received: {len(train_A)} of A and {len(train_B)} of B"
            )
        self.num_A, self.num_B = len(train_A), len(train_B)
        values = np.concatenate([train_A.values, train_B.values]).astype(np.float64)
        is_B = np.repeat([False, True], [self.num_A, self.num_B])
        num_folds = min(NUM_FOLDS, self.num_A, self.num_B)
        self._model = _search(num_folds, seed).fit(values, is_B)

    def share_of(self, domain: Literal["A", "B"], features: Features) -> float:
        """Says how many images it takes for one domain.

        Args:
            domain: `"A"` or `"B"`.
            features: Of the extractor that it was trained with.

        Returns:
            A share in [0, 1]; an image of which it cannot tell counts half.

        Raises:
            ValueError: If they are of another extractor, or there is no such domain.
        """
        if domain not in ("A", "B"):
            raise ValueError(f'`domain` must be "A" or "B". Received: domain={domain!r}')
        self._check(features)
        leanings = self._model.decision_function(features.values.astype(np.float64))
        # What it cannot tell, such as images that both domains have, counts half for each.
        shares_B = np.where(np.abs(leanings) < UNDECIDED, 0.5, leanings > 0)
        return float(np.mean(shares_B if domain == "B" else 1 - shares_B))

    def _check(self, features: Features) -> None:
        if features.extractor != self.extractor:
            raise ValueError(
                f"The classifier looks at features of {self.extractor!r}. Make all with that "
                f"extractor. Received: features of {features.extractor!r}"
            )


def _search(num_folds: int, seed: int) -> Any:
    try:
        from sklearn import linear_model, model_selection, pipeline, preprocessing
    except ImportError as error:
        raise ValueError(
            "Measuring strength needs scikit-learn, which is not there. "
            f"Install it: {_extras.advice('evaluation')}"
        ) from error
    # Standardised anew in each part, so that what is held back for a check stays unseen.
    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(),
        linear_model.LogisticRegression(class_weight="balanced", max_iter=1000),
    )
    folds = model_selection.StratifiedKFold(num_folds, shuffle=True, random_state=seed)
    choices = {"logisticregression__C": INVERSE_PENALTIES}
    return model_selection.GridSearchCV(model, choices, scoring="neg_log_loss", cv=folds)
