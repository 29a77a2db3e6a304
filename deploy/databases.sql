-- PostgreSQL runs this file once, when its volume is empty.
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
